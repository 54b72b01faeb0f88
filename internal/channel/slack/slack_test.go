package slack_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/secret"
	"github.com/algotrade/notifier/internal/yamldoc"
)

var update = flag.Bool("update", false, "write the golden files")

func newChannel(t *testing.T, config slack.Config) *slack.Channel {
	t.Helper()
	c, err := slack.New(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func bot(t *testing.T, s *slacktest.Server) *slack.Channel {
	t.Helper()
	return newChannel(t, slack.Config{
		Token: secret.New(slacktest.Token), Channel: slacktest.Channel, API: s.API(),
		Mentions: map[string][]string{"critical": {"U0TRADER1", "S0DESKTEAM", "here"}},
	})
}

func hook(t *testing.T, s *slacktest.Server) *slack.Channel {
	t.Helper()
	return newChannel(t, slack.Config{Webhook: secret.New(s.Webhook())})
}

func send(t *testing.T, c *slack.Channel, m channel.Message) (channel.Receipt, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return c.Send(ctx, m)
}

func TestMessageHasBlocksAndText(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Message()
	m.Alert.Severity = alert.Critical
	m.Alert.Text = alert.Text{{Text: "first line\nsecond "}, {Text: "*bold* `code`", Value: true}}
	m.MayBeDuplicate, m.Instead = true, &channel.Instead{Channel: "desk-mail", Cause: "failing: 421 try later"}
	m.Suppressed, m.SuppressedSince = 14, m.Now.Add(-5*time.Minute)
	receipt, err := send(t, bot(t, s), m)
	if err != nil {
		t.Fatal(err)
	}
	got := s.Messages()[0]
	if receipt.ID != got.TS {
		t.Errorf("the receipt is %q, the message's ts %q", receipt.ID, got.TS)
	}
	golden(t, "testdata/message.golden", got)
}

// golden compares a message's text, blocks and attachments with a file; -update writes it.
func golden(t *testing.T, name string, got slacktest.Message) {
	t.Helper()
	var b strings.Builder
	b.WriteString(got.Text + "\n")
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	for _, part := range []string{got.Blocks, got.Attachments} {
		var v any
		if err := json.Unmarshal([]byte(part), &v); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestValuesCannotMention(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Message()
	m.Alert.Text = alert.Text{{Text: "<!channel> <@U0TRADER1> <https://evil.example|click>", Value: true}}
	for _, c := range []*slack.Channel{bot(t, s), hook(t, s)} {
		if _, err := send(t, c, m); err != nil {
			t.Fatal(err)
		}
	}
	for _, got := range s.Messages() {
		if rest := dates.ReplaceAllString(got.Text, ""); strings.ContainsAny(rest, "<>") {
			t.Errorf("the text is %s", got.Text)
		}
		objects := 0
		for _, o := range objectsOf(t, got) {
			if objects++; o["type"] == "mrkdwn" && strings.ContainsAny(dates.ReplaceAllString(o["text"].(string), ""), "<>@`") && o["text"] != "<https://wiki.example.com/rejects|runbook>" {
				t.Errorf("markup: %s", o["text"])
			}
		}
		if objects < 6 {
			t.Errorf("%d texts", objects)
		}
	}
}

// dates matches dates in Slack's markup.
var dates = regexp.MustCompile(`<!date\^[0-9]+\^\{date_short_pretty\} \{time_secs\}\|[0-9: -]+ UTC>`)

// objectsOf returns the texts of a message's blocks.
func objectsOf(t *testing.T, m slacktest.Message) []map[string]any {
	t.Helper()
	var objects []map[string]any
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				find(item)
			}
		case map[string]any:
			if _, ok := v["text"].(string); ok {
				objects = append(objects, v)
			}
			for _, item := range v {
				find(item)
			}
		}
	}
	for _, part := range []string{m.Blocks, m.Attachments} {
		var v any
		if err := json.Unmarshal([]byte(part), &v); err != nil {
			t.Fatal(err)
		}
		find(v)
	}
	return objects
}

func TestAnyAlertFitsSlackLimits(t *testing.T) {
	long := strings.Repeat("ünïcödé & <b> ", 2000)
	text := func(s string) alert.Text { return alert.Text{{Text: s, Value: true}} }
	var many []alert.Field
	for range 40 {
		many = append(many, alert.Field{Label: long[:200], Value: text(long)})
	}
	for name, change := range map[string]func(*alert.Alert){
		"nothing at all": func(a *alert.Alert) { *a = alert.Alert{Severity: alert.Info} },
		"long title":     func(a *alert.Alert) { a.Title = text(long) },
		"long text":      func(a *alert.Alert) { a.Text = text(strings.Repeat("<&>", 9000)) },
		"many fields":    func(a *alert.Alert) { a.Fields = many },
		"everything":     func(a *alert.Alert) { a.Title, a.Text, a.Fields = text(long), text(long), many },
	} {
		t.Run(name, func(t *testing.T) {
			s := slacktest.Start(t, nil)
			m := channeltest.Message()
			change(&m.Alert)
			if _, err := send(t, bot(t, s), m); err != nil {
				t.Fatal(err)
			}
			got := s.Messages()[0]
			if n, _ := s.Requests(); n != 1 {
				t.Errorf("%d posts: the first was refused", n)
			}
			unescaped := strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(got.Blocks + got.Attachments)
			if n := len([]rune(unescaped)); n > 10_000 || len([]rune(got.Text)) > 4000 {
				t.Errorf("text of %d characters, blocks of %d", len([]rune(got.Text)), n)
			}
		})
	}
}

func TestEscapedCharactersCountOnce(t *testing.T) {
	s := slacktest.Start(t, nil)
	for _, char := range []string{"&", "<", "ü", "x"} {
		m := channeltest.Message()
		m.Alert.Text = alert.Text{{Text: strings.Repeat(char, 2500), Value: true}}
		if _, err := send(t, bot(t, s), m); err != nil {
			t.Fatal(err)
		}
		posted := s.Messages()
		if text := fmt.Sprint(objectsOf(t, posted[len(posted)-1])); strings.Contains(text, "shortened") || strings.Count(text, char) < 2500 {
			t.Errorf("2,500 %s are shortened to %d", char, strings.Count(text, char))
		}
	}
}

func TestRefusedBlocksFallBackToText(t *testing.T) {
	for _, refusal := range []string{"invalid_blocks", "msg_blocks_too_long"} {
		s := slacktest.Start(t, func(n int) slacktest.Answer {
			if n == 0 {
				return slacktest.Answer{Error: refusal}
			}
			return slacktest.Answer{}
		})
		if _, err := send(t, bot(t, s), channeltest.Message()); err != nil {
			t.Fatal(err)
		}
		if got := s.Messages()[0]; got.Blocks != "" || !strings.Contains(got.Text, "Rejected") {
			t.Errorf("%+v", got)
		}
	}
}

func TestAPIResponsesMapToCauses(t *testing.T) {
	named := func(name string) slacktest.Answer { return slacktest.Answer{Error: name} }
	body := func(status int, body string) slacktest.Answer {
		return slacktest.Answer{Status: status, Body: body}
	}
	soon := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
	for name, c := range map[string]struct {
		answer slacktest.Answer
		cause  outcome.Cause
	}{
		"ratelimited in a 200": {named("ratelimited"), outcome.RateLimited},
		"over the plan":        {body(429, `{"ok":false,"error":"message_limit_exceeded"}`), outcome.RateLimited},
		"over the plan, text":  {body(429, `message_limit_exceeded`), outcome.RateLimited},
		"429 bare":             {body(429, ""), outcome.RateLimited},
		"429 with a date":      {slacktest.Answer{Status: 429, Header: map[string]string{"Retry-After": soon}}, outcome.RateLimited},
		"service_unavailable":  {named("service_unavailable"), outcome.Unavailable},
		"internal_error":       {named("internal_error"), outcome.MaybeProcessed},
		"fatal_error":          {named("fatal_error"), outcome.MaybeProcessed},
		"invalid_auth":         {named("invalid_auth"), outcome.Credentials},
		"token_revoked":        {named("token_revoked"), outcome.Credentials},
		"missing_scope":        {body(200, `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"users:read"}`), outcome.Credentials},
		"org migration":        {named("team_added_to_org"), outcome.Credentials},
		"method_deprecated":    {named("method_deprecated"), outcome.Misconfigured},
		"channel_not_found":    {named("channel_not_found"), outcome.Destination},
		"is_archived":          {named("is_archived"), outcome.Destination},
		"not_in_channel":       {named("not_in_channel"), outcome.Destination},
		"msg_too_long":         {named("msg_too_long"), outcome.PayloadTooLarge},
		"no_text":              {named("no_text"), outcome.PayloadRefused},
		"invalid_arg_name":     {named("invalid_arg_name"), outcome.PayloadRefused},
		"never heard of":       {named("some_new_error"), outcome.Unknown},
		"not ok, no error":     {body(200, `{"ok":false}`), outcome.Unknown},
		"an empty object":      {body(200, `{}`), outcome.Misconfigured},
		"null":                 {body(200, `null`), outcome.Misconfigured},
		"ok without ts":        {body(200, `{"ok":true}`), outcome.MaybeProcessed},
		"200 with HTML":        {body(200, "<html>login</html>"), outcome.Misconfigured},
		"empty 200":            {body(200, ""), outcome.Misconfigured},
		"302":                  {slacktest.Answer{Status: 302, Header: map[string]string{"Location": "/login"}}, outcome.Destination},
		"403 of a proxy":       {body(403, "forbidden by policy"), outcome.Credentials},
		"a page of a proxy":    {body(403, "<html><body>Blocked by policy</body></html>"), outcome.Unknown},
		"429 with a page":      {body(429, "<html>slow down</html>"), outcome.RateLimited},
		"a page, not found":    {body(404, " <!DOCTYPE html><title>404</title>"), outcome.Unknown},
		"500 with HTML":        {body(500, "<html>"), outcome.MaybeProcessed},
		"503":                  {body(503, "<html>"), outcome.Unavailable},
		"503 with Retry-After": {slacktest.Answer{Status: 503, Header: map[string]string{"Retry-After": "7"}}, outcome.RateLimited},
		"reset":                {slacktest.Answer{ResetAfter: true}, outcome.Reset},
	} {
		t.Run(name, func(t *testing.T) {
			s := slacktest.Start(t, func(int) slacktest.Answer { return c.answer })
			_, err := send(t, bot(t, s), channeltest.Message())
			e := channeltest.AssertCause(t, err, c.cause)
			if e.MaybeDelivered != (c.cause == outcome.Misconfigured && c.answer.Status == 200) {
				t.Errorf("may be delivered: %v", e.MaybeDelivered)
			}
			if strings.Contains(name, "over the plan") && e.RetryAfter != 5*time.Minute {
				t.Errorf("Retry-After is %s", e.RetryAfter)
			}
			if name == "missing_scope" && !strings.Contains(e.Detail, "needs chat:write, the token has users:read") {
				t.Errorf("detail: %s", e.Detail)
			}
			if name == "429 with a date" && (e.RetryAfter < 20*time.Second || e.RetryAfter > 30*time.Second) {
				t.Errorf("Retry-After is %s", e.RetryAfter)
			}
		})
	}
	t.Run("ok with an odd field", func(t *testing.T) {
		s := slacktest.Start(t, func(int) slacktest.Answer { return body(200, `{"ok":true,"ts":"1.2","errors":{}}`) })
		if r, err := send(t, bot(t, s), channeltest.Message()); err != nil || r.ID != "1.2" {
			t.Errorf("%v %v", r, err)
		}
	})
}

func TestWebhookResponsesMapToCauses(t *testing.T) {
	for body, c := range map[string]struct {
		status int
		cause  outcome.Cause
	}{
		"invalid_payload":     {400, outcome.PayloadRefused},
		"no_text":             {400, outcome.PayloadRefused},
		"user_not_found":      {400, outcome.Destination},
		"action_prohibited":   {403, outcome.Destination},
		"invalid_token":       {403, outcome.Credentials},
		"no_service":          {404, outcome.Credentials},
		"no_active_hooks":     {404, outcome.Credentials},
		"channel_not_found":   {404, outcome.Destination},
		"channel_is_archived": {410, outcome.Destination},
		"rollup_error":        {500, outcome.MaybeProcessed},
		"<html>bad</html>":    {502, outcome.MaybeProcessed},
		"unavailable":         {503, outcome.Unavailable},
		`{"retry_after":1,"ok":false,"error":"rate_limited"}`: {429, outcome.RateLimited},
		"<html>captive portal</html>":                         {200, outcome.Misconfigured},
		"OK":                                                  {200, outcome.Misconfigured},
		`{"id":"123"}`:                                        {201, outcome.Misconfigured},
		`{"ok":false}`:                                        {200, outcome.Misconfigured},
		`{"ok":"true"}`:                                       {200, outcome.Misconfigured},
		`{"ok":1,"error":7}`:                                  {200, outcome.Misconfigured},
		`{"success":false}`:                                   {200, outcome.Misconfigured},
		`{"success":false,"error":"no such room"}`:            {200, outcome.Misconfigured},
		`{"ok":false,"error":"no_active_hooks"}`:              {200, outcome.Credentials},
	} {
		s := slacktest.Start(t, func(int) slacktest.Answer { return slacktest.Answer{Status: c.status, Body: body} })
		_, err := send(t, hook(t, s), channeltest.Message())
		if got := outcome.Classify(err); err == nil || got.Cause != c.cause || got.MaybeDelivered != (c.cause == outcome.Misconfigured) {
			t.Errorf("%d %s: %v, want %s", c.status, body, err, c.cause)
		}
	}
	for body, status := range map[string]int{"": 204, "\n": 200, `{"success":true}`: 200, `{"ok":true}`: 200, `{"ok":true,"error":null}`: 202} {
		s := slacktest.Start(t, func(int) slacktest.Answer { return slacktest.Answer{Status: status, Body: body} })
		if _, err := send(t, hook(t, s), channeltest.Message()); err != nil {
			t.Errorf("%d %q is a delivery: %v", status, body, err)
		}
	}
	s := slacktest.Start(t, nil)
	if _, err := send(t, hook(t, s), channeltest.Message()); err != nil || len(s.Messages()) != 1 {
		t.Error(err)
	}
}

func TestRateLimitSetsRetryAfterAndKeepsConnection(t *testing.T) {
	s := slacktest.Start(t, nil)
	s.Limit()
	c := bot(t, s)
	for i := range 10 {
		_, err := send(t, c, channeltest.Message())
		if i == 0 {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if e := channeltest.AssertCause(t, err, outcome.RateLimited); e.RetryAfter != time.Second {
			t.Errorf("Retry-After is %s", e.RetryAfter)
		}
	}
	if n, connections := s.Requests(); n != 10 || connections != 1 {
		t.Errorf("%d posts took %d connections", n, connections)
	}
}

func TestWrongTokenOrChannelConcernsChannel(t *testing.T) {
	s := slacktest.Start(t, nil)
	wrong := newChannel(t, slack.Config{Token: secret.New("xoxb-wrong"), Channel: slacktest.Channel, API: s.API()})
	_, err := send(t, wrong, channeltest.Message())
	channeltest.AssertCause(t, err, outcome.Credentials)
	channeltest.AssertLeaksNoSecret(t, err, "xoxb-wrong")
	elsewhere := newChannel(t, slack.Config{Token: secret.New(slacktest.Token), Channel: "C0OTHER01", API: s.API()})
	_, err = send(t, elsewhere, channeltest.Message())
	channeltest.AssertCause(t, err, outcome.Destination)
}

func TestNoSecretIsShown(t *testing.T) {
	s := slacktest.Start(t, func(int) slacktest.Answer {
		return slacktest.Answer{Status: 400, Body: "bad " + slacktest.Token + " /services/T0/B0/key", Header: map[string]string{"X-Slack": slacktest.Token}}
	})
	for _, c := range []*slack.Channel{bot(t, s), hook(t, s)} {
		_, err := send(t, c, channeltest.Message())
		channeltest.AssertLeaksNoSecret(t, err, slacktest.Token, "/services/T0/B0/key")
	}
	s.CloseClientConnections()
	s.Close()
	for _, c := range []*slack.Channel{bot(t, s), hook(t, s)} {
		_, err := send(t, c, channeltest.Message())
		channeltest.AssertCause(t, err, outcome.Unreachable)
		channeltest.AssertLeaksNoSecret(t, err, slacktest.Token, "/services/T0/B0/key")
	}
}

func TestTimeoutIsAmbiguousAndCancelIsAbandoned(t *testing.T) {
	ctx, pass := channeltest.Deadline(t.Context())
	s := slacktest.Start(t, func(int) slacktest.Answer {
		return slacktest.Answer{ByRequest: func(*http.Request, string) slacktest.Answer {
			pass()
			return slacktest.Answer{Hang: true}
		}}
	})
	_, err := bot(t, s).Send(ctx, channeltest.Message())
	channeltest.AssertCause(t, err, outcome.Timeout)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = bot(t, s).Send(cancelled, channeltest.Message())
	channeltest.AssertCause(t, err, outcome.Abandoned)
}

func TestConfigurationFaults(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                                "needs token and channel, or webhook",
		`{token: xoxb-1}`:                   "channel: is missing",
		`{token: xoxb-1, channel: "#desk"}`: `channel: "#desk" is not a channel id, such as C0123456789: see the end of the channel's details in Slack`,
		`{token: xoxb-1, channel: C0DESK01, webhook: "https://hooks.slack.com/x"}`: "webhook: excludes token and channel: keep one of them",
		`{webhook: "hooks.slack.com/x"}`:                                           "webhook: is not a URL: it must begin with https://",
		`{token: xoxb-1, channel: C0DESK01, mentions: {critcal: [here]}}`:          "mentions.critcal: is not a severity: did you mean critical?",
		`{token: xoxb-1, channel: C0DESK01, mentions: {critical: ["@alice"]}}`:     `mentions.critical: "@alice" is not the id of a user (U…) or a group (S…), here or channel`,
		`{token: xoxb-1, channel: xoxb-123456-abcdef}`:                             `channel: "[redacted]" is not a channel id, such as C0123456789: see the end of the channel's details in Slack`,
		`{token: xoxb-1, channel: C0DESK01, api: "http://proxy.example.com/api"}`:  "api: begins with http://: the token would travel in the clear; use https://, or set insecure: true if the network is trusted",
		`{webhook: "http://proxy.example.com/services/x"}`:                         "webhook: begins with http://: it would travel in the clear, and it is a credential; use https://, or set insecure: true if the network is trusted",
		`{webhook: "https://me:hunter22@proxy.example.com/services/x"}`:            "webhook: contains a user, which Slack does not use: remove it",
		`{token: xoxb-1, chanel: C0DESK01, channel: C0DESK01}`:                     `chanel: unknown key: did you mean "channel"?`,
	} {
		var c slack.Config
		faults := yamldoc.Decode("f", "", []byte(text), &c)
		if len(faults) != 1 || !strings.HasSuffix(faults[0].String(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, faults, want)
		}
	}
}

func TestTokenIsSentOnlyInHeader(t *testing.T) {
	s := slacktest.Start(t, nil)
	c := bot(t, s)
	if _, err := send(t, c, channeltest.Message()); err != nil {
		t.Fatal(err)
	}
	c.Verify(t.Context())
	seen := s.Received()
	if len(seen) != 3 { // chat.postMessage, auth.test, conversations.info
		t.Fatalf("%d requests", len(seen))
	}
	for _, r := range seen {
		if got := r.Header.Values("Authorization"); len(got) != 1 || got[0] != "Bearer "+slacktest.Token {
			t.Errorf("%s: Authorization is %q", r.URL, got)
		}
		if r.Header.Del("Authorization"); strings.Contains(fmt.Sprint(r), "token") || strings.Contains(fmt.Sprint(r), slacktest.Token) {
			t.Errorf("%s: the token is elsewhere too: %s %s", r.URL, r.Header, r.Body)
		}
	}
}

func TestUnknownErrorTextIsNotShown(t *testing.T) {
	for name, want := range map[string]string{
		"a_new_error_2027":      "Slack returned a_new_error_2027",
		"Bad token":             "Slack returned an unknown error",
		"line\nbreak":           "Slack returned an unknown error",
		strings.Repeat("a", 65): "Slack returned an unknown error",
		slacktest.Token:         "Slack returned an unknown error",
	} {
		s := slacktest.Start(t, func(int) slacktest.Answer { return slacktest.Answer{Error: name} })
		_, err := send(t, bot(t, s), channeltest.Message())
		if e := channeltest.AssertCause(t, err, outcome.Unknown); e.Detail != want {
			t.Errorf("%q: %q", name, e.Detail)
		}
	}
}

func TestInvisibleCharactersAreEscapedInPosts(t *testing.T) {
	s := slacktest.Start(t, nil)
	for _, c := range []*slack.Channel{bot(t, s), hook(t, s)} {
		if _, err := send(t, c, channeltest.Hostile()); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range s.Messages() {
		channeltest.AssertEscaped(t, "the text", m.Text)
		var blocks any
		if err := json.Unmarshal([]byte(m.Blocks), &blocks); err != nil {
			t.Fatal(err)
		}
		channeltest.AssertEscaped(t, "the blocks", fmt.Sprint(blocks))
	}
}

func TestInsecureAllowsHTTP(t *testing.T) {
	for _, text := range []string{
		`{token: xoxb-1, channel: C0DESK01, insecure: true, api: "http://proxy.example.com/api"}`,
		`{insecure: true, webhook: "http://proxy.example.com/services/x"}`,
		`{webhook: "http://127.0.0.1:8080/services/x"}`,
	} {
		var c slack.Config
		if faults := yamldoc.Decode("f", "", []byte(text), &c); len(faults) > 0 {
			t.Errorf("%s: %v", text, faults)
		}
	}
}

// TestTokenAndWebhookReloadWithoutRestart also covers invalid new values, which
// leave the previous ones in use.
func TestTokenAndWebhookReloadWithoutRestart(t *testing.T) {
	s := slacktest.Start(t, nil)
	for name, c := range map[string]struct {
		text, wrong, right string
		bad                []string
	}{
		"token":   {fmt.Sprintf("{token: file:secret, channel: %s, api: %q}", slacktest.Channel, s.API()), "xoxb-old", slacktest.Token, []string{""}},
		"webhook": {"{webhook: file:secret}", s.URL + "/services/T0/B0/old", s.Webhook(), []string{"", "http", "http://proxy.example.com/services/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(c.wrong)
			var config slack.Config
			if faults := yamldoc.Decode("f", dir, []byte(c.text), &config); len(faults) > 0 {
				t.Fatal(faults)
			}
			ch := newChannel(t, config)
			if _, err := send(t, ch, channeltest.Message()); err == nil {
				t.Error("the wrong one is taken")
			}
			for _, text := range append([]string{c.right}, c.bad...) {
				write(text)
				if _, err := send(t, ch, channeltest.Message()); err != nil {
					t.Errorf("with %q in the file: %v", text, err)
				}
			}
		})
	}
}
