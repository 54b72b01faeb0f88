package cli

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/email/smtptest"
	"github.com/algotrade/notifier/internal/channel/pagerduty/pagerdutytest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/channel/webhook/webhooktest"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
)

// TestChannelsTestSendsMarkedMessage: against stand-ins that behave as the
// providers do.
func TestChannelsTestSendsMarkedMessage(t *testing.T) {
	slack, hook := slacktest.Start(t, nil), webhooktest.Start(t, "", nil)
	pager, bot := pagerdutytest.Start(t), templatedtest.Start(t, "telegram")
	server := smtptest.Start(t, smtptest.Config{Rcpt: func(to string) error {
		if to == "gone@example.com" {
			return smtptest.Reply(550, "5.1.1", "user unknown")
		}
		return nil
	}})
	t.Setenv("NOTIFIER_HTTP_LISTEN", "127.0.0.1:1")
	dir := t.TempDir()
	file := filepath.Join(dir, "notifier.yaml")
	text := fmt.Sprintf(`
rules: rules.yaml
channels:
  desk-slack: {slack: {token: %s, channel: %s, api: %q, mentions: {critical: [here]}}}
  desk-hook: {slack: {webhook: %q}}
  desk-mail: {email: {server: %q, from: alerts@example.com, to: [desk@example.com], tls: none}}
  some-mail: {email: {server: %q, from: alerts@example.com, to: [desk@example.com, gone@example.com], tls: none}}
  risk-hook: {webhook: {url: %q}}
  oncall: {pagerduty: {routing_key: %s, url: %q}}
  bot: {http: {%s}}
`, slacktest.Token, slacktest.Channel, slack.API(), slack.Webhook(), server.Addr, server.Addr, hook.URL+"/k3y-in-the-path", pagerdutytest.Key, pager.URL, bot.Config("telegram"))
	rules := strings.NewReplacer("screen", "desk-hook").Replace(twoRules)
	for name, text := range map[string]string{"notifier.yaml": text, "rules.yaml": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	try := func(args ...string) clitest.Answer {
		return local(t, append([]string{"channels", "test", "-c", file}, args...)...)
	}
	try("--all", "--no-send").Want(t, base.ExitFailed, "recipient gone@example.com: RCPT 550 5.1.1", "notifier: 1 check failed")
	if n, _ := slack.Requests(); n+len(server.Mails())+len(hook.Requests())+pager.Requests()+len(bot.Requests()) != 0 {
		t.Fatal("--no-send sends")
	}

	all := try("desk-slack", "desk-hook", "desk-mail", "risk-hook", "oncall", "bot").Want(t, base.ExitDone)
	varies := regexp.MustCompile(`(after |ts |127\.0\.0\.1:|Message-ID |dedup key )[^ ,;/\n]+( m?s\b)?`)
	clitest.Golden(t, "channels-test.golden", varies.ReplaceAllString(all.Out, "${1}…"))
	for _, m := range slack.Messages() {
		if !strings.Contains(m.Text, "This is a test of desk-") || !strings.Contains(m.Attachments, `"a test"`) || !strings.Contains(m.Text, "from host: ") || strings.Contains(m.Text, "here") && strings.Contains(m.Text, "<!here>") {
			t.Errorf("Slack shows %+v", m)
		}
	}
	sent, err := mail.ReadMessage(strings.NewReader(string(server.Mails()[0].Data)))
	if err != nil {
		t.Fatal(err)
	}
	if s := sent.Header.Get("Subject"); s != "Info: This is a test of desk-mail" {
		t.Errorf("the subject is %q", s)
	}
	if body := string(server.Mails()[0].Data); !strings.Contains(body, "This is a test of the channel, sent by hand. There is no event.") || strings.Contains(body, "Event of ") {
		t.Errorf("the mail is\n%s", body)
	}
	var doc struct{ Alert struct{ Test bool } }
	if err := json.Unmarshal(hook.Requests()[0].Body, &doc); err != nil || !doc.Alert.Test {
		t.Errorf("a program cannot tell that it is a test: %v\n%s", err, hook.Requests()[0].Body)
	}
	// A receiver that verifies re-serialised JSON is found by the test.
	for _, part := range []string{`"event":{"`, `: 1.00010,`, "9007199254740993", "ü"} {
		if body := string(hook.Requests()[0].Body); !strings.Contains(body, part) {
			t.Errorf("the event has no %s: %s", part, body)
		}
	}
	// A critical one mentions whom it would mention at night.
	try("desk-slack", "--severity", "critical").Want(t, base.ExitDone)
	if m := slack.Messages(); !strings.Contains(m[len(m)-1].Text, "<!here>") {
		t.Errorf("Slack shows %+v", m[len(m)-1])
	}

	// One recipient of several is a failure that is named.
	some := try("some-mail").Want(t, base.ExitFailed, "ok       some-mail: sent to desk@example.com; the server", "failed   some-mail: not to gone@example.com: recipient-refused: RCPT 550 5.1.1", "→ correct the recipient's address", "1 of 1 test failed")
	if strings.Contains(some.Out, "k3y") {
		t.Error("a secret")
	}
	o := try("some-mail", "-o", "json").Want(t, base.ExitFailed).Objects(t)[0]
	if got := fmt.Sprint(o["ok"], o["recipients"]); !strings.Contains(got, "false [map[cause:recipient-refused") {
		t.Errorf("got %v", o)
	}

	// What the provider refuses is said with what to do, and no secret.
	slack.SetAnswer(func(int) slacktest.Answer { return slacktest.Answer{Error: "token_revoked"} })
	hook.SetAnswer(func(int, webhooktest.Request) webhooktest.Answer {
		return webhooktest.Answer{Status: 403, Body: "no: k3y-in-the-path"}
	})
	bad := try("desk-slack", "risk-hook").Want(t, base.ExitFailed, "2 of 2 tests failed")
	folded := strings.Join(strings.Fields(bad.Out), " ")
	for _, text := range []string{"failed desk-slack: credentials: Slack returned token_revoked", "→ copy the bot token (xoxb-…) again", "returned 403: no: [redacted]", "→ check headers (Authorization) and secret"} {
		if !strings.Contains(folded, text) {
			t.Errorf("it does not say %q:\n%s", text, bad.Out)
		}
	}
	if strings.Contains(bad.Out+bad.Err, "k3y") || strings.Contains(bad.Out+bad.Err, slacktest.Token) {
		t.Errorf("a secret:\n%s%s", bad.Out, bad.Err)
	}
}
