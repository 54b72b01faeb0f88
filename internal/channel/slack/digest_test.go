package slack_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
)

func TestDigestListsAlertsWithinLimits(t *testing.T) {
	s := slacktest.Start(t, nil)
	if _, err := send(t, bot(t, s), channeltest.Digest(4800)); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/digest.golden", s.Messages()[0])

	m := channeltest.Digest(4800)
	for i := range m.Digest.Items {
		m.Digest.Items[i].Title[1].Text = strings.Repeat("<&>", 1000)
	}
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	got := s.Messages()[1]
	if n := utf8.RuneCountInString(got.Text); n > 3900 || !strings.Contains(got.Attachments, "4,78") || !strings.Contains(got.Attachments, "more") {
		t.Errorf("%d characters: %s", n, got.Attachments)
	}
}

func editing(ts string) channel.Message {
	m := channeltest.Digest(4800)
	m.Digest.Edit = ts
	return m
}

func TestDigestReplacesItsEarlierMessage(t *testing.T) {
	s := slacktest.Start(t, nil)
	c := bot(t, s)
	first, err := send(t, c, channeltest.Digest(3))
	if err != nil {
		t.Fatal(err)
	}
	second, err := send(t, c, editing(first.ID))
	if err != nil || second.ID != first.ID {
		t.Fatalf("%q then %q: %v", first.ID, second.ID, err)
	}
	if got := s.Messages(); len(got) != 1 || got[0].Edits != 1 || !strings.Contains(got[0].Text, "4,800 alerts") {
		t.Errorf("%+v", got)
	}
}

func TestRefusedEditBecomesNewMessage(t *testing.T) {
	for _, refusal := range []string{"message_not_found", "cant_update_message", "edit_window_closed", "msg_too_long"} {
		s := slacktest.Start(t, func(int) slacktest.Answer {
			return slacktest.Answer{ByRequest: func(r *http.Request, _ string) slacktest.Answer {
				if strings.HasSuffix(r.URL.Path, "chat.update") {
					return slacktest.Answer{Error: refusal}
				}
				return slacktest.Answer{}
			}}
		})
		receipt, err := send(t, bot(t, s), editing("1.000000"))
		if got := s.Messages(); err != nil || len(got) != 1 || receipt.ID != got[0].TS {
			t.Errorf("%s: %v, %d messages", refusal, err, len(got))
		}
	}
}

// A token that is refused, or a limit, is no reason to post anew.
func TestFailedEditIsNotPostedAnew(t *testing.T) {
	for _, problem := range []string{"token_revoked", "ratelimited", "internal_error", "channel_not_found"} {
		s := slacktest.Start(t, func(int) slacktest.Answer { return slacktest.Answer{Error: problem} })
		if _, err := send(t, bot(t, s), editing("1.000000")); err == nil {
			t.Errorf("%s: no error", problem)
		}
		if n, _ := s.Requests(); n != 1 {
			t.Errorf("%s: %d requests", problem, n)
		}
	}
}

func TestWebhookPostsDigestsAnew(t *testing.T) {
	s := slacktest.Start(t, nil)
	if _, err := send(t, hook(t, s), editing("1.000000")); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages(); len(got) != 1 || got[0].Edits != 0 {
		t.Errorf("%+v", got)
	}
}
