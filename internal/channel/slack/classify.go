package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
)

// apiErrors is what chat.postMessage's errors mean (docs.slack.dev, method
// chat.postMessage). The destination is configured, so what is wrong with it
// is the channel's fault and holds.
var apiErrors = table{
	outcome.RateLimited: "ratelimited rate_limited message_limit_exceeded",
	outcome.Unavailable: "service_unavailable request_timeout",
	// "It's possible some aspect of the operation succeeded before the error."
	outcome.MaybeProcessed: "internal_error fatal_error",
	outcome.Credentials: `invalid_auth not_authed account_inactive token_revoked token_expired not_allowed_token_type missing_scope
		no_permission access_denied accesslimited app_access_restricted two_factor_setup_required is_bot enterprise_is_restricted
		as_user_not_supported send_on_behalf_not_allowed team_added_to_org org_login_required`,
	outcome.Misconfigured: "deprecated_endpoint method_deprecated unknown_method team_not_found",
	outcome.Destination: `channel_not_found is_archived not_in_channel restricted_action restricted_action_read_only_channel
		restricted_action_thread_only_channel ekm_access_denied messages_tab_disabled`,
	outcome.PayloadTooLarge: "msg_too_long msg_blocks_too_long attachment_payload_limit_exceeded metadata_too_large",
	outcome.PayloadRefused: `no_text invalid_blocks invalid_blocks_format too_many_attachments too_many_contact_cards markdown_text_conflict
		missing_file_data slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked
		invalid_metadata_format invalid_metadata_schema metadata_must_be_sent_from_app restricted_action_non_threadable_channel
		restricted_action_thread_locked cannot_reply_to_message invalid_arg_name invalid_array_arg invalid_charset invalid_form_data
		invalid_post_type missing_post_type invalid_arguments invalid_json json_not_object`,
}.byError()

// hookErrors is what an incoming webhook's bodies mean. Bodies decide, status
// codes do not: the same body comes with several.
var hookErrors = table{
	outcome.RateLimited:     "ratelimited rate_limited",
	outcome.MaybeProcessed:  "rollup_error internal_error",
	outcome.Credentials:     "invalid_token no_service no_service_id no_active_hooks no_team team_disabled",
	outcome.Destination:     "user_not_found action_prohibited posting_to_general_channel_denied channel_not_found channel_is_archived is_archived",
	outcome.PayloadTooLarge: "msg_too_long msg_blocks_too_long",
	outcome.PayloadRefused: `invalid_payload no_text too_many_attachments invalid_blocks invalid_blocks_format
		missing_text_or_fallback_or_attachments`,
}.byError()

type table map[outcome.Cause]string

func (t table) byError() map[string]outcome.Cause {
	m := make(map[string]outcome.Cause)
	for cause, names := range t {
		for name := range strings.FieldsSeq(names) {
			m[name] = cause
		}
	}
	return m
}

// overLimit is how long to wait when a workspace is over its plan's limit,
// which Slack says without a Retry-After.
const overLimit = 5 * time.Minute

// apiOutcome judges an answer of the Web API; it returns the message's ts.
func (c *Channel) apiOutcome(a *answer) (string, error) {
	if a.err != nil || a.reply == nil {
		return "", notSent(a)
	}
	var body struct {
		OK       bool   `json:"ok"`
		Error    string `json:"error"`
		TS       string `json:"ts"`
		Needed   string `json:"needed"`
		Provided string `json:"provided"`
	}
	isJSON := json.Unmarshal(a.reply.Body, &body) == nil || body.TS != "" || body.Error != ""
	switch {
	case a.reply.Status != http.StatusOK || !isJSON:
		return "", c.byStatus(a, body.Error, apiErrors)
	case body.OK && body.TS != "":
		return body.TS, nil
	case body.OK:
		return "", outcome.Errorf(outcome.MaybeProcessed, "Slack answers ok without a message's ts")
	case body.Error == "":
		return "", outcome.Errorf(outcome.Unknown, "Slack answers ok: false without a reason")
	}
	return "", c.refused(body.Error, body.Needed, body.Provided, a)
}

// refused judges an answer that names its error, and the scopes where that is
// about them.
func (c *Channel) refused(name, needed, provided string, a *answer) *outcome.Error {
	err := c.named(name, apiErrors, a)
	if needed != "" {
		err.Detail += fmt.Sprintf(": it needs %s, the token has %s", c.word(needed), c.word(provided))
	}
	return err
}

// remedies is what a person can do about an error, by its name.
var remedies = map[string]string{
	"not_in_channel":    "invite the bot: /invite @BOT in the channel",
	"channel_not_found": "check the channel's id, at the end of its details in Slack; invite the bot where it is private",
	"is_archived":       "unarchive the channel, or post to another",
	"missing_scope":     "add the scope chat:write to the bot (api.slack.com/apps, OAuth & Permissions) and install the app again",
	"no_service":        revoked, "no_service_id": revoked, "no_active_hooks": revoked, "invalid_token": revoked, "no_team": revoked,
	"channel_is_archived": "unarchive the channel, or make a webhook for another",
	"invalid_auth":        newToken, "token_revoked": newToken, "token_expired": newToken, "account_inactive": newToken, "not_authed": newToken,
}

const (
	revoked  = "the webhook was revoked: make a new one (api.slack.com/apps, Incoming Webhooks) and put its URL where the configuration refers to"
	newToken = "copy the bot token (xoxb-…) again from api.slack.com/apps, OAuth & Permissions, to where the configuration refers to"
)

// webhookOutcome judges an answer of an incoming webhook.
func (c *Channel) webhookOutcome(a *answer) error {
	if a.err != nil || a.reply == nil {
		return notSent(a)
	}
	text := strings.TrimSpace(string(a.reply.Body))
	if a.reply.Status == http.StatusOK && text == "ok" {
		return nil
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(a.reply.Body, &body) == nil && body.Error != "" {
		text = body.Error
	}
	if a.reply.Status == http.StatusOK && hookErrors[text] == "" {
		return outcome.Errorf(outcome.Unknown, "the answer is not Slack's: a proxy may be in between")
	}
	return c.byStatus(a, text, hookErrors)
}

// byStatus judges an answer that is not a plain 200: by the error it names,
// else by its status.
func (c *Channel) byStatus(a *answer, name string, known map[string]outcome.Cause) error {
	if name == "" {
		name = strings.TrimSpace(string(a.reply.Body))
	}
	if known[name] != "" {
		return c.named(name, known, a)
	}
	status := a.reply.Status
	cause := outcome.Unknown
	switch {
	case status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusProxyAuthRequired && strings.HasPrefix(name, "<"):
		// A page where Slack has JSON: a proxy or a firewall answers, and what it
		// says is not about our token or channel.
		return outcome.Errorf(outcome.Unknown, "the answer, a page with status %d, is not Slack's: a proxy may be in between", status)
	case status == http.StatusTooManyRequests, status >= 500 && a.reply.RetryAfter > 0:
		cause = outcome.RateLimited
	case status == 500, status == 502, status == 504:
		cause = outcome.MaybeProcessed
	case status >= 500:
		cause = outcome.Unavailable
	case status == http.StatusRequestEntityTooLarge:
		cause = outcome.PayloadTooLarge
	case status == 401, status == 403, status == 407:
		cause = outcome.Credentials
	case status == 404, status == 410, status/100 == 3:
		cause = outcome.Destination
	}
	return &outcome.Error{Cause: cause, Detail: fmt.Sprintf("Slack answers %d", status), RetryAfter: a.reply.RetryAfter, Answered: status == http.StatusTooManyRequests}
}

func (c *Channel) named(name string, known map[string]outcome.Cause, a *answer) *outcome.Error {
	cause, ok := known[name]
	if !ok {
		if !errorName.MatchString(name) || c.redactor.Redact(name) != name {
			name = "an unknown error"
		}
		return &outcome.Error{Cause: outcome.Unknown, Detail: "Slack answers " + name, RetryAfter: a.reply.RetryAfter}
	}
	err := &outcome.Error{Cause: cause, Detail: "Slack answers " + name, RetryAfter: a.reply.RetryAfter, Answered: true, Do: remedies[name]}
	if name == "message_limit_exceeded" && err.RetryAfter == 0 {
		err.RetryAfter = overLimit
	}
	return err
}

func notSent(a *answer) error {
	if a.err == nil {
		return outcome.Errorf(outcome.Misconfigured, "the request could not be made")
	}
	return a.err
}

// errorName is what Slack's error names look like. What does not is of somebody
// else's, and may hold anything.
var errorName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

var plain = regexp.MustCompile(`[^][A-Za-z0-9_:., -]`)

// word is a name of Slack's that may be shown: a workspace, a bot, scopes.
func (c *Channel) word(s string) string {
	s = plain.ReplaceAllString(c.redactor.Redact(s), "")
	return s[:min(len(s), 80)]
}
