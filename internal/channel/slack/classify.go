package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/outcome"
)

// apiErrors maps the errors of chat.postMessage (docs.slack.dev, method
// chat.postMessage). The destination is configured, so its errors concern the
// channel and are permanent.
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
	outcome.PayloadRefused: `no_text invalid_blocks invalid_blocks_format invalid_attachments too_many_attachments too_many_contact_cards markdown_text_conflict
		missing_file_data slack_connect_canvas_sharing_blocked slack_connect_file_link_sharing_blocked slack_connect_lists_sharing_blocked
		invalid_metadata_format invalid_metadata_schema metadata_must_be_sent_from_app restricted_action_non_threadable_channel
		restricted_action_thread_locked cannot_reply_to_message thread_not_found invalid_thread_ts invalid_arg_name invalid_array_arg invalid_charset invalid_form_data
		invalid_post_type missing_post_type invalid_arguments invalid_json json_not_object`,
}.byError()

// hookErrors maps the response bodies of an incoming webhook. Status codes do
// not matter: the same body comes with several.
var hookErrors = table{
	outcome.RateLimited:     "ratelimited rate_limited",
	outcome.MaybeProcessed:  "rollup_error internal_error",
	outcome.Credentials:     "invalid_token no_service no_service_id no_active_hooks no_team team_disabled",
	outcome.Destination:     "user_not_found action_prohibited posting_to_general_channel_denied channel_not_found channel_is_archived is_archived",
	outcome.PayloadTooLarge: "msg_too_long msg_blocks_too_long",
	outcome.PayloadRefused: `invalid_payload no_text invalid_attachments too_many_attachments invalid_blocks invalid_blocks_format
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

// overLimit is the wait when a workspace exceeds its plan's limit, for which
// Slack sends no Retry-After.
const overLimit = 5 * time.Minute

// apiOutcome classifies a response of the Web API and returns the message's ts.
func (c *Channel) apiOutcome(a *call) (string, error) {
	if a.err != nil || a.reply == nil {
		return "", noReply(a)
	}
	var body struct {
		OK       *bool  `json:"ok"`
		Error    string `json:"error"`
		TS       string `json:"ts"`
		Needed   string `json:"needed"`
		Provided string `json:"provided"`
	}
	_ = json.Unmarshal(a.reply.Body, &body) // an odd field does not matter
	switch {
	case a.reply.Status/100 != 2:
		return "", c.byStatus(a, body.Error, apiErrors)
	case body.OK == nil && body.Error == "":
		return "", unrecognised(a, "api")
	case body.OK != nil && *body.OK && body.TS != "":
		return body.TS, nil
	case body.OK != nil && *body.OK:
		return "", outcome.Errorf(outcome.MaybeProcessed, "Slack returned ok without a ts")
	case body.Error == "":
		return "", outcome.Errorf(outcome.Unknown, "Slack returned ok: false without an error")
	}
	return "", c.refused(body.Error, body.Needed, body.Provided, a)
}

// editRefusals are the errors of chat.update, and replyRefusals those of a reply with
// chat.postMessage, that concern the message to be replaced or replied to
// (docs.slack.dev, methods chat.update and chat.postMessage).
var (
	editRefusals = []apiError{
		"message_not_found", "cant_update_message", "edit_window_closed", "update_failed", "block_mismatch", "streaming_state_conflict", "is_inactive",
	}
	replyRefusals = []apiError{
		"thread_not_found", "invalid_thread_ts", "message_not_found", "cannot_reply_to_message", "restricted_action_non_threadable_channel", "restricted_action_thread_locked",
	}
)

// apiError is the name of an error of Slack's, inside of an outcome.Error.
type apiError string

func (e apiError) Error() string { return string(e) }

// named reports whether Slack returned one of these errors.
func named(err error, names []apiError) bool {
	var name apiError
	return errors.As(err, &name) && slices.Contains(names, name)
}

// contentRefused reports whether Slack refused a message for its content.
func contentRefused(err error) bool {
	return err != nil && outcome.Classify(err).Cause.Class().Scope == outcome.Message
}

// editRefused reports whether a message cannot be replaced, or not by this one.
func editRefused(err error) bool { return named(err, editRefusals) || contentRefused(err) }

// refused classifies a response by the error it names; needed and provided are
// scopes, empty unless the error is about them.
func (c *Channel) refused(name, needed, provided string, a *call) *outcome.Error {
	err := c.classifyName(name, apiErrors, a)
	if needed != "" {
		err.Detail += fmt.Sprintf(": needs %s, the token has %s", c.sanitize(needed), c.sanitize(provided))
	}
	return err
}

// remedies are what a person can do, by Slack's error.
var remedies = map[string]string{
	"not_in_channel":    "invite the bot: /invite @BOT in the channel",
	"channel_not_found": "check the channel's id, at the end of its details in Slack; invite the bot if the channel is private",
	"is_archived":       "unarchive the channel, or post to another",
	"missing_scope":     "add the scope chat:write to the bot (api.slack.com/apps, OAuth & Permissions) and reinstall the app",
	"no_service":        revoked, "no_service_id": revoked, "no_active_hooks": revoked, "invalid_token": revoked, "no_team": revoked,
	"channel_is_archived": "unarchive the channel, or create a webhook for another",
	"invalid_auth":        newToken, "token_revoked": newToken, "token_expired": newToken, "account_inactive": newToken, "not_authed": newToken,
}

const (
	revoked  = "the webhook was revoked: create a new one (api.slack.com/apps, Incoming Webhooks) and configure its URL"
	newToken = "copy the bot token (xoxb-…) again from api.slack.com/apps, OAuth & Permissions, into the configuration"
)

// webhookOutcome classifies a response of an incoming webhook. Slack's own answers
// "ok". Slack's workflow triggers answer {"ok":true}, Rocket.Chat {"success":true},
// others with an empty body.
func (c *Channel) webhookOutcome(a *call) error {
	if a.err != nil || a.reply == nil {
		return noReply(a)
	}
	text := strings.TrimSpace(string(a.reply.Body))
	var body struct {
		OK      json.RawMessage `json:"ok"`
		Success json.RawMessage `json:"success"`
		Error   json.RawMessage `json:"error"`
	}
	if json.Unmarshal(a.reply.Body, &body) == nil && len(body.Error) > 0 {
		_ = json.Unmarshal(body.Error, &text) // one that is no text stays the whole body
	}
	switch {
	case a.reply.Status/100 != 2, hookErrors[text] != "":
		return c.byStatus(a, text, hookErrors)
	case text == "ok", text == "", string(body.OK) == "true", string(body.Success) == "true":
		return nil
	}
	return unrecognised(a, "webhook")
}

// unrecognised is the error of a 2xx that says neither that the message was posted
// nor that it was not: it may come from a proxy, or from a receiver that posts.
func unrecognised(a *call, setting string) error {
	return &outcome.Error{
		Cause: outcome.Misconfigured, MaybeDelivered: true,
		Detail: fmt.Sprintf("the response with status %d is none of Slack's: the message may have been posted", a.reply.Status),
		Do:     "check that " + setting + " leads to Slack or a compatible receiver, and not to a proxy; use the kind webhook for other receivers",
	}
}

// byStatus classifies a response by the error it names, else by its status.
func (c *Channel) byStatus(a *call, name string, known map[string]outcome.Cause) error {
	if name == "" {
		name = strings.TrimSpace(string(a.reply.Body))
	}
	if known[name] != "" {
		return c.classifyName(name, known, a)
	}
	status := a.reply.Status
	cause, mayBeMessage := outcome.Unknown, false
	switch {
	case status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusProxyAuthRequired && strings.HasPrefix(name, "<"):
		// An HTML page comes from a proxy or a firewall: the status says nothing
		// about the token or the channel.
		return outcome.Errorf(outcome.Unknown, "the response, an HTML page with status %d, does not come from Slack: check for a proxy", status)
	case status == http.StatusTooManyRequests, status >= 500 && a.reply.RetryAfter > 0:
		cause = outcome.RateLimited
	case status == 500, status == 502, status == 504:
		cause = outcome.MaybeProcessed
	case status >= 500:
		cause = outcome.Unavailable
	case status == http.StatusRequestEntityTooLarge:
		cause = outcome.PayloadTooLarge
	case status == 401, status == 403: // a proxy may refuse one body
		cause, mayBeMessage = outcome.Credentials, true
	case status == 407:
		cause = outcome.Credentials
	case status == 404, status == 410, status/100 == 3:
		cause = outcome.Destination
	}
	return &outcome.Error{
		Cause: cause, Detail: fmt.Sprintf("Slack returned %d", status), RetryAfter: a.reply.RetryAfter,
		Answered: status == http.StatusTooManyRequests, MaybeMessage: mayBeMessage,
	}
}

func (c *Channel) classifyName(name string, known map[string]outcome.Cause, a *call) *outcome.Error {
	cause, ok := known[name]
	if !ok {
		if !errorName.MatchString(name) || c.redactor.Redact(name) != name {
			name = "an unknown error"
		}
		return &outcome.Error{Cause: outcome.Unknown, Detail: "Slack returned " + name, RetryAfter: a.reply.RetryAfter, Err: apiError(name)}
	}
	err := &outcome.Error{Cause: cause, Detail: "Slack returned " + name, RetryAfter: a.reply.RetryAfter, Answered: true, Do: remedies[name], Err: apiError(name)}
	if name == "message_limit_exceeded" && err.RetryAfter == 0 {
		err.RetryAfter = overLimit
	}
	return err
}

// noReply is the error of a call without a response.
func noReply(a *call) error {
	if a.err == nil {
		return outcome.Errorf(outcome.Misconfigured, "the request could not be created")
	}
	return a.err
}

// errorName matches Slack's error names. Any other text may come from a proxy
// and is not shown.
var errorName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

var unsafeChars = regexp.MustCompile(`[^][A-Za-z0-9_:., -]`)

// sanitize makes a name from Slack, such as a workspace or scopes, safe to
// show.
func (c *Channel) sanitize(s string) string {
	s = unsafeChars.ReplaceAllString(c.redactor.Redact(s), "")
	return s[:min(len(s), 80)]
}
