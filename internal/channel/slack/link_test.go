package slack_test

import (
	"strings"
	"testing"

	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
)

func TestForgedRunbookCannotMention(t *testing.T) {
	s := slacktest.Start(t, nil)
	for _, runbook := range []string{"!channel", "@U0123456", "!subteam^S0123456", "mailto:x@example.com", "https://a.example.com/|x> <!here", "https://a.example.com/ <!here>"} {
		m := channeltest.Message()
		m.Alert.Runbook = runbook
		if _, err := send(t, bot(t, s), m); err != nil {
			t.Fatal(err)
		}
	}
	m := channeltest.Message()
	m.Alert.Runbook = "https://wiki.example.com/a?b=1&c=2"
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	all := s.Messages()
	for _, got := range all[:len(all)-1] {
		if strings.Contains(got.Attachments, "runbook") || strings.Contains(got.Attachments, "here") || strings.Contains(got.Attachments, "0123456") || strings.Contains(got.Text, "<") {
			t.Errorf("rendered: %s", got.Attachments)
		}
	}
	if last := all[len(all)-1].Attachments; !strings.Contains(last, `https://wiki.example.com/a?b=1\u0026amp;c=2|runbook`) {
		t.Errorf("a valid link is not rendered: %s", last)
	}
}
