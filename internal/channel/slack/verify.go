package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
)

// Edits reports whether digests replace earlier ones: an incoming webhook cannot.
func (c Config) Edits() bool { return !c.Token.IsZero() }

// Destination is where the channel posts to. It leaves out a webhook's path,
// which is secret.
func (c Config) Destination() string {
	if !c.Token.IsZero() {
		return c.Channel
	}
	if u, err := httpURL(c.Webhook.Reveal()); err == nil {
		return "incoming webhook at " + u.Host
	}
	return "incoming webhook " + c.Webhook.String()
}

// Verify implements channel.Verifier. It checks a bot's token and scopes with
// auth.test, and the channel with conversations.info, which needs a scope that
// posting does not. For an incoming webhook it checks URL and connection only.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	if c.api == nil {
		return c.verifyWebhook(ctx)
	}
	found, scopes, ok := c.verifyToken(ctx)
	if !ok {
		return found
	}
	return append(found, c.verifyChannel(ctx, scopes))
}

// verifyToken calls auth.test; ok is false when Slack rejects the token.
func (c *Channel) verifyToken(ctx context.Context) (found []check.Result, scopes []string, ok bool) {
	start := time.Now()
	a, body, err := request[struct {
		Team, User string
	}](ctx, c, func(ctx context.Context) { _, _ = c.api.AuthTestContext(ctx) })
	if err != nil {
		return []check.Result{fault("token", err)}, nil, false
	}
	found = []check.Result{check.Okf("token", "%s in workspace %s, after %d ms", c.sanitize(body.User), c.sanitize(body.Team), time.Since(start).Milliseconds())}
	found = append(found, httpsend.ClockSkew("Slack", a.reply, start, time.Now())...)
	// Each response lists the token's scopes (docs.slack.dev, "OAuth scopes").
	if header := a.reply.Header.Get("X-OAuth-Scopes"); header != "" {
		for s := range strings.SplitSeq(header, ",") {
			scopes = append(scopes, strings.TrimSpace(s))
		}
		if !slices.Contains(scopes, "chat:write") && !slices.Contains(scopes, "chat:write:bot") {
			return append(found, check.Failedf("scopes", remedies["missing_scope"], "the token lacks chat:write, it has %s", c.sanitize(header))), scopes, true
		}
		found = append(found, check.Okf("scopes", "the token may post (chat:write)"))
	}
	return found, scopes, true
}

// verifyChannel calls conversations.info. A missing scope for it is no fault.
func (c *Channel) verifyChannel(ctx context.Context, scopes []string) check.Result {
	subject := "channel " + c.config.Channel
	_, body, err := request[struct {
		Channel struct {
			Name       string
			IsArchived bool  `json:"is_archived"`
			IsMember   *bool `json:"is_member"`
		}
	}](ctx, c, func(ctx context.Context) {
		_, _ = c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: c.config.Channel})
	})
	const unverified = "not verified: this needs the scopes channels:read and groups:read, which posting does not need"
	switch {
	case err != nil && strings.Contains(err.Detail, "missing_scope"):
		return check.Skipf(subject, unverified)
	case err != nil && strings.Contains(err.Detail, "channel_not_found") && !(slices.Contains(scopes, "channels:read") && slices.Contains(scopes, "groups:read")):
		return check.Warnf(subject, remedies["channel_not_found"], "not visible to the bot: it does not exist, or it is private and the bot is not a member or may not read it")
	case err != nil:
		return fault(subject, err)
	case body.Channel.IsArchived:
		return check.Failedf(subject, remedies["is_archived"], "#%s is archived", c.sanitize(body.Channel.Name))
	case body.Channel.IsMember == nil:
		return check.Okf(subject, "#%s", c.sanitize(body.Channel.Name))
	case !*body.Channel.IsMember && !slices.Contains(scopes, "chat:write.public"):
		return check.Failedf(subject, remedies["not_in_channel"], "the bot is not a member of #%s", c.sanitize(body.Channel.Name))
	}
	return check.Okf(subject, "#%s, the bot may post there", c.sanitize(body.Channel.Name))
}

// request calls the Web API through do and decodes the raw response into T.
func request[T any](ctx context.Context, c *Channel, do func(context.Context)) (*call, T, *outcome.Error) {
	var body T
	a := &call{}
	do(context.WithValue(ctx, callKey{}, a))
	if a.err != nil || a.reply == nil {
		return a, body, outcome.Classify(noReply(a))
	}
	var head struct {
		OK               bool
		Error            string
		Needed, Provided string
	}
	isJSON := json.Unmarshal(a.reply.Body, &head) == nil
	switch {
	case a.reply.Status != http.StatusOK || !isJSON:
		return a, body, outcome.Classify(c.byStatus(a, head.Error, apiErrors))
	case !head.OK:
		return a, body, c.refused(head.Error, head.Needed, head.Provided, a)
	}
	if err := json.Unmarshal(a.reply.Body, &body); err != nil {
		return a, body, outcome.Errorf(outcome.Unknown, "Slack's response cannot be decoded")
	}
	return a, body, nil
}

func fault(subject string, e *outcome.Error) check.Result {
	return check.Failedf(subject, e.Remedy(), "%s", e.Detail)
}

// hookPath matches the paths of incoming webhooks. Workflow triggers accept
// other bodies.
var hookPath = regexp.MustCompile(`^/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+$`)

func (c *Channel) verifyWebhook(ctx context.Context) []check.Result {
	u, err := httpURL(c.webhookURL())
	if err != nil {
		return []check.Result{check.Failedf("webhook", "", "%v", err)}
	}
	var found []check.Result
	switch {
	case strings.HasSuffix(u.Hostname(), "slack.com") && strings.HasPrefix(u.Path, "/triggers/"):
		found = append(found, check.Failedf("webhook", "create an incoming webhook (api.slack.com/apps, Incoming Webhooks) and use its URL",
			"the URL is a workflow trigger, which does not accept messages"))
	case strings.HasSuffix(u.Hostname(), "slack.com") && !hookPath.MatchString(u.Path):
		found = append(found, check.Warnf("webhook", "copy it again from api.slack.com/apps, Incoming Webhooks",
			"the URL is not of the form https://hooks.slack.com/services/T…/B…/…"))
	default:
		found = append(found, check.Okf("webhook", "the URL has the form of an incoming webhook, at %s", u.Host))
	}
	found = append(found, c.client.Verify(ctx, u)...)
	return append(found, check.Skipf("Slack", "the webhook itself cannot be verified without posting"))
}
