package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/algotrade/notifier/internal/channel/httpsend"
	"github.com/algotrade/notifier/internal/check"
	"github.com/algotrade/notifier/internal/outcome"
)

// Destination is where the channel posts to, as far as it may be shown: an
// incoming webhook's URL is its key.
func (c Config) Destination() string {
	if !c.Token.IsZero() {
		return c.Channel
	}
	if u, err := httpURL(c.Webhook.Reveal()); err == nil {
		return "incoming webhook at " + u.Host
	}
	return "incoming webhook " + c.Webhook.String()
}

// Verify implements channel.Verifier: a bot's token with auth.test, its
// scopes, and the channel with conversations.info, which needs a scope that
// posting does not need. An incoming webhook can only be tried by posting.
func (c *Channel) Verify(ctx context.Context) []check.Result {
	if c.api == nil {
		return c.verifyWebhook(ctx)
	}
	who, scopes, fine := c.verifyToken(ctx)
	if !fine {
		return who
	}
	return append(who, c.verifyChannel(ctx, scopes))
}

// verifyToken asks who we are; fine is false where the token is not taken.
func (c *Channel) verifyToken(ctx context.Context) (found []check.Result, scopes []string, fine bool) {
	asked := time.Now()
	a, body, err := call[struct {
		Team, User string
	}](ctx, c, func(ctx context.Context) { _, _ = c.api.AuthTestContext(ctx) })
	if err != nil {
		return []check.Result{fault("token", err)}, nil, false
	}
	found = []check.Result{check.Okf("token", "%s in workspace %s, after %d ms", c.word(body.User), c.word(body.Team), time.Since(asked).Milliseconds())}
	found = append(found, httpsend.Clock("Slack", a.reply, asked, time.Now())...)
	// Slack says with each answer what the token may do (docs.slack.dev, "OAuth scopes").
	if said := a.reply.Header.Get("X-OAuth-Scopes"); said != "" {
		for s := range strings.SplitSeq(said, ",") {
			scopes = append(scopes, strings.TrimSpace(s))
		}
		if !has(scopes, "chat:write") && !has(scopes, "chat:write:bot") {
			return append(found, check.Failedf("scopes", remedies["missing_scope"], "the token has no chat:write, only %s", c.word(said))), scopes, true
		}
		found = append(found, check.Okf("scopes", "it may post (chat:write)"))
	}
	return found, scopes, true
}

// verifyChannel asks about the channel. It is no fault that we may not.
func (c *Channel) verifyChannel(ctx context.Context, scopes []string) check.Result {
	subject := "channel " + c.config.Channel
	_, body, err := call[struct {
		Channel struct {
			Name       string
			IsArchived bool  `json:"is_archived"`
			IsMember   *bool `json:"is_member"`
		}
	}](ctx, c, func(ctx context.Context) {
		_, _ = c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: c.config.Channel})
	})
	const unseen = "not looked at: that takes the scopes channels:read and groups:read, which posting does not need"
	switch {
	case err != nil && strings.Contains(err.Detail, "missing_scope"):
		return check.Skipf(subject, unseen)
	case err != nil && strings.Contains(err.Detail, "channel_not_found") && !(has(scopes, "channels:read") && has(scopes, "groups:read")):
		return check.Warnf(subject, remedies["channel_not_found"], "Slack does not show it: it is not there, or private and the bot is not in it or may not read it")
	case err != nil:
		return fault(subject, err)
	case body.Channel.IsArchived:
		return check.Failedf(subject, remedies["is_archived"], "#%s is archived", c.word(body.Channel.Name))
	case body.Channel.IsMember == nil:
		return check.Okf(subject, "#%s", c.word(body.Channel.Name))
	case !*body.Channel.IsMember && !has(scopes, "chat:write.public"):
		return check.Failedf(subject, remedies["not_in_channel"], "the bot is not in #%s", c.word(body.Channel.Name))
	}
	return check.Okf(subject, "#%s, the bot may post there", c.word(body.Channel.Name))
}

// call makes a call of the Web API and reads its answer into T. slack-go's own
// reading of it is not used: see the package's comment.
func call[T any](ctx context.Context, c *Channel, do func(context.Context)) (*answer, T, *outcome.Error) {
	var body T
	a := &answer{}
	do(context.WithValue(ctx, answerKey{}, a))
	if a.err != nil || a.reply == nil {
		return a, body, outcome.Classify(notSent(a))
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
		return a, body, outcome.Errorf(outcome.Unknown, "Slack's answer cannot be read")
	}
	return a, body, nil
}

func fault(subject string, e *outcome.Error) check.Result {
	return check.Failedf(subject, e.Remedy(), "%s", e.Detail)
}

func has(scopes []string, scope string) bool {
	for _, s := range scopes {
		if s == scope {
			return true
		}
	}
	return false
}

// hookPath is what Slack's incoming webhooks look like; workflows' triggers
// take other bodies.
var hookPath = regexp.MustCompile(`^/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]+$`)

func (c *Channel) verifyWebhook(ctx context.Context) []check.Result {
	u, err := httpURL(c.hook())
	if err != nil {
		return []check.Result{check.Failedf("webhook", "", "%v", err)}
	}
	var found []check.Result
	switch {
	case strings.HasSuffix(u.Hostname(), "slack.com") && strings.HasPrefix(u.Path, "/triggers/"):
		found = append(found, check.Failedf("webhook", "make an incoming webhook (api.slack.com/apps, Incoming Webhooks) and use its URL",
			"the URL is a workflow's trigger, which does not take messages"))
	case strings.HasSuffix(u.Hostname(), "slack.com") && !hookPath.MatchString(u.Path):
		found = append(found, check.Warnf("webhook", "copy it again from api.slack.com/apps, Incoming Webhooks",
			"the URL does not look like an incoming webhook's: https://hooks.slack.com/services/T…/B…/…"))
	default:
		found = append(found, check.Okf("webhook", "the URL looks like an incoming webhook's, at %s", u.Host))
	}
	found = append(found, c.client.Verify(ctx, u)...)
	return append(found, check.Skipf("Slack", "whether the webhook is still there is only known by posting"))
}
