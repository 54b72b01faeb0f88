package templated_test

import (
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/templated"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/outcome"
)

type answered struct {
	status int
	body   string
	cause  outcome.Cause // empty: delivered
	after  time.Duration // what the provider asks for
}

// common are answers that mean the same for every preset.
var common = map[string]answered{
	"a redirect":            {302, "", outcome.Destination, 0},
	"a page of a firewall":  {403, "<html>blocked", outcome.Unknown, 0},
	"a limit without words": {429, "", outcome.RateLimited, 0},
	"a page with a limit":   {429, "<html>error 1015", outcome.RateLimited, 0},
	"a failure":             {500, "", outcome.MaybeProcessed, 0},
	"an outage":             {503, "<html>", outcome.Unavailable, 0},
}

// byProvider are the answers in the form of each provider.
var byProvider = map[string]map[string]answered{
	"discord": {
		"stored":         {200, `{"id":"1"}`, "", 0},
		"204":            {204, "", "", 0},
		"a proxy's page": {200, "<html>log in", outcome.Misconfigured, 0},
		"refused":        {400, `{"message":"Invalid Form Body","code":50035}`, outcome.PayloadRefused, 0},
		"deleted":        {404, `{"message":"Unknown Webhook","code":10015}`, outcome.Destination, 0},
		"a wrong token":  {401, `{"message":"Invalid Webhook Token","code":50027}`, outcome.Credentials, 0},
		"a limit":        {429, `{"message":"You are being rate limited.","retry_after":64.57,"global":false}`, outcome.RateLimited, 64570 * time.Millisecond},
		"a short limit":  {429, `{"message":"You are being rate limited.","retry_after":0.3,"global":true}`, outcome.RateLimited, time.Second},
	},
	"telegram": {
		"sent":                  {200, `{"ok":true,"result":{"message_id":1}}`, "", 0},
		"200 with an error":     {200, `{"ok":false,"error_code":500,"description":"Internal Server Error"}`, outcome.Misconfigured, 0},
		"a limit":               {429, `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 33","parameters":{"retry_after":33}}`, outcome.RateLimited, 33 * time.Second},
		"200 with a limit":      {200, `{"ok":false,"error_code":429,"parameters":{"retry_after":33}}`, outcome.RateLimited, 33 * time.Second},
		"a wrong token":         {401, `{"ok":false,"error_code":401,"description":"Unauthorized"}`, outcome.Credentials, 0},
		"a malformed token":     {404, `{"ok":false,"error_code":404,"description":"Not Found"}`, outcome.Credentials, 0},
		"a bot that was kicked": {403, `{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the supergroup chat"}`, outcome.Destination, 0},
		"no such chat":          {400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, outcome.Destination, 0},
		"a group that moved":    {400, `{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-100}}`, outcome.Destination, 0},
		"too long":              {400, `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`, outcome.PayloadTooLarge, 0},
		"refused":               {400, `{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities"}`, outcome.PayloadRefused, 0},
	},
	"teams": {
		"queued":                      {202, "", "", 0},
		"a connector's success":       {200, "1", "", 0},
		"a connector's failure":       {200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 500", outcome.Unavailable, 0},
		"a connector's limit":         {200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", outcome.RateLimited, 0},
		"a workflow that is off":      {400, `{"error":{"code":"WorkflowTriggerIsNotEnabled"}}`, outcome.Destination, 0},
		"an URL without a signature":  {401, `{"error":{"code":"DirectApiAuthorizationRequired"}}`, outcome.Credentials, 0},
		"a body that is not the card": {400, `{"error":{"code":"TriggerInputSchemaMismatch"}}`, outcome.PayloadRefused, 0},
	},
	"mattermost": {
		"posted":          {200, "ok", "", 0},
		"a proxy's page":  {200, "<html>log in", outcome.Misconfigured, 0},
		"no such webhook": {400, `{"id":"web.incoming_webhook.invalid.app_error","message":"Invalid webhook.","status_code":400}`, outcome.Destination, 0},
		"no such channel": {404, `{"id":"web.incoming_webhook.channel.app_error","message":"Couldn't find the channel.","status_code":404}`, outcome.Destination, 0},
		"not enabled":     {501, `{"id":"web.incoming_webhook.disabled.app_error","message":"Incoming webhooks have been disabled.","status_code":501}`, outcome.Destination, 0},
		"too long":        {400, `{"id":"web.incoming_webhook.text.length.app_error","status_code":400}`, outcome.PayloadTooLarge, 0},
		"refused":         {400, `{"id":"web.incoming_webhook.text.app_error","message":"No text specified.","status_code":400}`, outcome.PayloadRefused, 0},
	},
	"googlechat": {
		"posted":        {200, `{"name":"spaces/A/messages/B"}`, "", 0},
		"200 with {}":   {200, `{}`, outcome.Misconfigured, 0},
		"a wrong key":   {400, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}`, outcome.Credentials, 0},
		"a wrong token": {401, `{"error":{"code":401,"message":"unauthenticated","status":"UNAUTHENTICATED"}}`, outcome.Credentials, 0},
		"no such space": {404, `{"error":{"code":404,"message":"Space not found","status":"NOT_FOUND"}}`, outcome.Destination, 0},
		"a limit":       {429, `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}`, outcome.RateLimited, 0},
		"refused":       {400, `{"error":{"code":400,"message":"Message cannot be empty.","status":"INVALID_ARGUMENT"}}`, outcome.PayloadRefused, 0},
	},
	"ntfy": {
		"published":     {200, `{"id":"x","event":"message"}`, "", 0},
		"a web page":    {200, "<html>ntfy", outcome.Misconfigured, 0},
		"a wrong token": {401, `{"code":40101,"http":401,"error":"unauthorized"}`, outcome.Credentials, 0},
		"not allowed":   {403, `{"code":40301,"http":403,"error":"forbidden"}`, outcome.Credentials, 0},
		"a bad topic":   {400, `{"code":40009,"http":400,"error":"invalid request: topic invalid"}`, outcome.Destination, 0},
		"a limit":       {429, `{"code":42901,"http":429,"error":"limit reached: too many requests"}`, outcome.RateLimited, 0},
		"no space":      {507, `{"code":50701,"http":507,"error":"insufficient storage"}`, outcome.Unavailable, 0},
		"refused":       {400, `{"code":40017,"http":400,"error":"invalid request"}`, outcome.PayloadRefused, 0},
	},
	"alertmanager": {
		"200": {200, "", "", 0}, "202": {202, "<html>", "", 0}, "404": {404, "", outcome.Destination, 0}, "422": {422, "no", outcome.PayloadRefused, 0},
	},
}

func TestProvidersAnswersHaveTheirMeaning(t *testing.T) {
	for _, name := range templated.Presets() {
		answers := byProvider[name]
		if len(answers) == 0 {
			t.Errorf("%s has no answers here", name)
		}
		for what, a := range common {
			if name == "alertmanager" && strings.Contains(what, "firewall") {
				a.cause = outcome.Credentials // any server may answer with a page
			}
			answers[what] = a
		}
		for what, a := range answers {
			t.Run(name+"/"+strings.ReplaceAll(what, " ", "-"), func(t *testing.T) {
				s := templatedtest.Start(t, name)
				s.SetAnswer(func(templatedtest.Request) *templatedtest.Answer {
					return &templatedtest.Answer{Status: a.status, Body: a.body, Header: map[string]string{"Location": "/elsewhere"}}
				})
				_, err := send(t, newChannel(t, s.Config(name)), channeltest.Message())
				if a.cause == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				e := channeltest.AssertCause(t, err, a.cause)
				if e.RetryAfter != a.after {
					t.Errorf("Retry-After is %s, want %s", e.RetryAfter, a.after)
				}
				if e.MaybeDelivered != (a.status/100 == 2 && a.cause == outcome.Misconfigured) {
					t.Errorf("may be delivered: %v", e.MaybeDelivered)
				}
				if e.Remedy() == "" && (a.cause == outcome.Destination || a.cause == outcome.Credentials) {
					t.Error("no remedy")
				}
				channeltest.AssertLeaksNoSecret(t, err, templatedtest.Secrets(name)...)
			})
		}
	}
}

func TestRetryAfterHeaderIsKept(t *testing.T) {
	s := templatedtest.Start(t, "discord")
	s.SetAnswer(func(templatedtest.Request) *templatedtest.Answer {
		return &templatedtest.Answer{Status: 429, Body: "<html>", Header: map[string]string{"Retry-After": "7"}}
	})
	_, err := send(t, newChannel(t, s.Config("discord")), channeltest.Message())
	if e := channeltest.AssertCause(t, err, outcome.RateLimited); e.RetryAfter != 7*time.Second {
		t.Errorf("Retry-After is %s", e.RetryAfter)
	}
}

func TestRefusedContentIsSentAsTitle(t *testing.T) {
	for _, name := range templated.Presets() {
		t.Run(name, func(t *testing.T) {
			s := templatedtest.Start(t, name)
			s.SetAnswer(func(r templatedtest.Request) *templatedtest.Answer {
				if strings.Contains(string(r.Body), "strategy") {
					return &templatedtest.Answer{Status: 400, Body: `{"ok":false,"description":"no"}`}
				}
				return nil
			})
			m := channeltest.Message()
			_, err := send(t, newChannel(t, s.Config(name)), m)
			requests := s.Requests()
			if name == "alertmanager" { // its body is data
				channeltest.AssertCause(t, err, outcome.PayloadRefused)
				return
			}
			if body := string(requests[len(requests)-1].Body); err != nil || len(requests) != 2 || !strings.Contains(body, "NVDA") || !strings.Contains(body, "shortened") {
				t.Errorf("%v after %d requests, the last %s", err, len(requests), body)
			}
			if len(m.Alert.Fields) == 0 {
				t.Error("the message itself is changed")
			}
		})
	}
}
