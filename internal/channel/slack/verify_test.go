package slack_test

import (
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/secret"
)

func TestVerifyBotPostsNothing(t *testing.T) {
	const who, read, may = "ok token: alerts in workspace AlgoTrade", "chat:write,channels:read,groups:read", "ok scopes: the token may post"
	for name, c := range map[string]struct {
		bot  slacktest.Bot
		want []string
	}{
		"all is well":         {slacktest.Bot{Scopes: read}, []string{who, may, "ok channel C0DESK01: #desk, the bot may post there"}},
		"no scopes are said":  {slacktest.Bot{}, []string{who, "ok channel C0DESK01"}},
		"it may not look":     {slacktest.Bot{Scopes: "chat:write", InfoError: "missing_scope"}, []string{who, may, "skipped channel C0DESK01: not verified: this needs the scopes channels:read"}},
		"it may not post":     {slacktest.Bot{Scopes: "channels:read"}, []string{who, "failed scopes: the token lacks chat:write, it has channels:read → add the scope chat:write", "ok channel"}},
		"a revoked token":     {slacktest.Bot{Error: "token_revoked"}, []string{"failed token: Slack returned token_revoked → copy the bot token"}},
		"an archived channel": {slacktest.Bot{Scopes: read, Archived: true}, []string{who, may, "failed channel C0DESK01: #desk is archived → unarchive"}},
		"not in the channel":  {slacktest.Bot{Scopes: read, Outside: true}, []string{who, may, "failed channel C0DESK01: the bot is not a member of #desk → invite the bot"}},
		"anybody may post":    {slacktest.Bot{Scopes: read + ",chat:write.public", Outside: true}, []string{who, may, "ok channel C0DESK01: #desk"}},
		"no such channel":     {slacktest.Bot{Scopes: read, InfoError: "channel_not_found"}, []string{who, may, "failed channel C0DESK01: Slack returned channel_not_found → check the channel's id"}},
		"perhaps private":     {slacktest.Bot{Scopes: "chat:write,channels:read", InfoError: "channel_not_found"}, []string{who, may, "warning channel C0DESK01: not visible to the bot"}},
		"a late clock":        {slacktest.Bot{Date: time.Now().Add(90 * time.Second)}, []string{who, "warning clock: this host's clock is 1m", "ok channel"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := slacktest.Start(t, nil)
			s.SetBot(c.bot)
			channeltest.AssertLines(t, channeltest.Verify(t, bot(t, s), slacktest.Token), c.want...)
			if n, _ := s.Requests(); n != 0 {
				t.Errorf("%d messages were posted", n)
			}
		})
	}
}

func TestVerifyBotAgainstOddServers(t *testing.T) {
	s := slacktest.Start(t, nil)
	stranger := newChannel(t, slack.Config{Token: secret.New("xoxb-another-token"), Channel: slacktest.Channel, API: s.API()})
	channeltest.AssertLines(t, channeltest.Verify(t, stranger, "xoxb-another-token"), "failed token: Slack returned invalid_auth")
	proxy := newChannel(t, slack.Config{Token: secret.New(slacktest.Token), Channel: slacktest.Channel, API: s.URL + "/nothing-here/"})
	channeltest.AssertLines(t, channeltest.Verify(t, proxy), "failed token: Slack returned 404")
	s.Close()
	channeltest.AssertLines(t, channeltest.Verify(t, bot(t, s)), "failed token: 127.0.0.1")
}

func TestVerifyWebhookMakesNoRequest(t *testing.T) {
	s := slacktest.Start(t, nil)
	channeltest.AssertLines(t, channeltest.Verify(t, hook(t, s), "key"),
		"ok webhook: the URL has the form of", "ok connection: connected to 127.0.0.1", "warning encryption: http: alerts travel in the clear", "skipped Slack: the webhook itself cannot be verified without posting")
	if n, _ := s.Requests(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	for url, want := range map[string]string{
		"https://hooks.slack.com/services/T0AA/B0BB":  "warning webhook: the URL is not of the form",
		"https://hooks.slack.com/triggers/T0/123/k3y": "failed webhook: the URL is a workflow trigger",
	} {
		c := newChannel(t, slack.Config{Webhook: secret.New(url)})
		got := channeltest.Verify(t, c, "B0BB", "k3y")
		if len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}
