package slack_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
	"github.com/algotrade/notifier/internal/outcome"
)

// opened posts the first message of an episode and returns its ts.
func opened(t *testing.T, s *slacktest.Server) string {
	t.Helper()
	receipt, err := send(t, bot(t, s), channeltest.Message())
	if err != nil {
		t.Fatal(err)
	}
	return receipt.ID
}

// only answers requests of one method, such as chat.update; other requests get Slack's
// own answers.
func only(s *slacktest.Server, method string, answer slacktest.Answer) {
	s.SetAnswer(func(int) slacktest.Answer {
		return slacktest.Answer{ByRequest: func(r *http.Request, _ string) slacktest.Answer {
			if strings.HasSuffix(r.URL.Path, method) {
				return answer
			}
			return slacktest.Answer{}
		}}
	})
}

func TestLaterAlertsReplyInThread(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Message()
	m.Opened = opened(t, s)
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	m.Raised, m.Alert.Severity = true, alert.Critical
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	got := s.Messages()
	if len(got) != 3 || got[1].Thread != m.Opened || got[1].Broadcast {
		t.Errorf("a later alert: %+v", got[1])
	}
	if got[2].Thread != m.Opened || !got[2].Broadcast {
		t.Errorf("a more severe alert: %+v", got[2])
	}
}

func TestReminderRepliesAndSaysSo(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Reminder()
	m.Opened = opened(t, s)
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	got := s.Messages()[1]
	if got.Thread != m.Opened || got.Broadcast {
		t.Errorf("%+v", got)
	}
	golden(t, "testdata/reminder.golden", got)
}

func TestResolvedReplacesFirstMessage(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Resolved()
	m.Opened, m.MayBeDuplicate = opened(t, s), true
	for range 2 { // a second attempt changes nothing that is seen, besides its reply
		receipt, err := send(t, bot(t, s), m)
		if err != nil || receipt.ID != m.Opened {
			t.Fatalf("%q, %v", receipt.ID, err)
		}
	}
	got := s.Messages()
	if len(got) != 3 || got[0].Edits != 2 || strings.Contains(got[0].Text+got[0].Attachments, "duplicate") {
		t.Fatalf("%+v", got)
	}
	golden(t, "testdata/resolved.golden", got[0])
	if got[1].Thread != m.Opened || got[1].Text != "✅ Resolved after 2 h 5 m (may be a duplicate)" || got[1].Blocks != "" || got[1].Broadcast {
		t.Errorf("the reply is %+v", got[1])
	}
}

func TestResolvedMentionsNobody(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Resolved()
	m.Alert.Severity = alert.Critical
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages()[0]; strings.Contains(got.Text+got.Blocks, "here") {
		t.Errorf("%+v", got)
	}
}

func TestRefusedResolveIsPostedAnew(t *testing.T) {
	for _, refusal := range []string{"message_not_found", "cant_update_message", "edit_window_closed", "update_failed", "is_inactive", "msg_too_long", "invalid_blocks"} {
		s := slacktest.Start(t, nil)
		m := channeltest.Resolved()
		m.Opened = opened(t, s)
		only(s, "chat.update", slacktest.Answer{Error: refusal})
		receipt, err := send(t, bot(t, s), m)
		if got := s.Messages(); err != nil || len(got) != 2 || got[1].TS != receipt.ID || got[1].Thread != "" || !strings.Contains(got[1].Text, "Resolved") {
			t.Errorf("%s: %v, %+v", refusal, err, got)
		}
	}
}

// A person deleted the first message.
func TestDeletedMessageIsPostedAnew(t *testing.T) {
	for name, m := range map[string]channel.Message{"resolved": channeltest.Resolved(), "reminder": channeltest.Reminder()} {
		s := slacktest.Start(t, nil)
		m.Opened = opened(t, s)
		s.Delete(m.Opened)
		if _, err := send(t, bot(t, s), m); err != nil {
			t.Fatal(err)
		}
		if got := s.Messages(); len(got) != 1 || got[0].Thread != "" || !strings.Contains(got[0].Text, "Rejected") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestRefusedReplyIsPostedToChannel(t *testing.T) {
	for _, refusal := range []string{"thread_not_found", "restricted_action_thread_locked", "restricted_action_non_threadable_channel", "cannot_reply_to_message"} {
		s := slacktest.Start(t, nil)
		m := channeltest.Reminder()
		m.Opened = opened(t, s)
		s.SetAnswer(func(int) slacktest.Answer {
			return slacktest.Answer{ByRequest: func(_ *http.Request, body string) slacktest.Answer {
				if strings.Contains(body, "thread_ts") {
					return slacktest.Answer{Error: refusal}
				}
				return slacktest.Answer{}
			}}
		})
		if _, err := send(t, bot(t, s), m); err != nil {
			t.Errorf("%s: %v", refusal, err)
		}
		if n, _ := s.Requests(); n != 3 || len(s.Messages()) != 2 || s.Messages()[1].Attachments == "" {
			t.Errorf("%s: %d requests, %+v", refusal, n, s.Messages())
		}
	}
}

// What fails besides the message itself is retried: it is no reason to post anew.
func TestFailedResolveIsNotPostedAnew(t *testing.T) {
	for name, cause := range map[string]outcome.Cause{
		"token_revoked": outcome.Credentials, "ratelimited": outcome.RateLimited, "internal_error": outcome.MaybeProcessed, "channel_not_found": outcome.Destination,
	} {
		for _, method := range []string{"chat.update", "chat.postMessage"} {
			s := slacktest.Start(t, nil)
			m := channeltest.Resolved()
			m.Opened = opened(t, s)
			only(s, method, slacktest.Answer{Error: name})
			_, err := send(t, bot(t, s), m)
			channeltest.AssertCause(t, err, cause)
			if n := len(s.Messages()); n != 1 {
				t.Errorf("%s of %s: %d messages", name, method, n)
			}
		}
	}
}

func TestRefusedReplyAfterResolveIsNoFailure(t *testing.T) {
	for _, refusal := range []string{"restricted_action_thread_locked", "no_text"} {
		s := slacktest.Start(t, nil)
		m := channeltest.Resolved()
		m.Opened = opened(t, s)
		only(s, "chat.postMessage", slacktest.Answer{Error: refusal})
		if _, err := send(t, bot(t, s), m); err != nil || s.Messages()[0].Edits != 1 {
			t.Errorf("%s: %v", refusal, err)
		}
	}
}

func TestWebhookPostsResolvedAnew(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Resolved()
	m.Opened = opened(t, s)
	if _, err := send(t, hook(t, s), m); err != nil {
		t.Fatal(err)
	}
	if got := s.Messages(); len(got) != 2 || got[0].Edits != 0 || got[1].Thread != "" || !strings.Contains(got[1].Attachments, "#2EB67D") {
		t.Errorf("%+v", got)
	}
}

// Opened comes from a topic: what is no id of Slack's is not sent to it.
func TestForeignReceiptBeginsNoThread(t *testing.T) {
	for _, id := range []string{"<1@example.com>", "1.2&channel=C0OTHER01", "1", ".", strings.Repeat("1", 30) + ".1"} {
		s := slacktest.Start(t, nil)
		m := channeltest.Resolved()
		m.Opened = id
		if _, err := send(t, bot(t, s), m); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if n, _ := s.Requests(); n != 1 || len(s.Messages()) != 1 {
			t.Errorf("%s: %d requests", id, n)
		}
	}
}

func TestDigestIsNoReply(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Digest(3)
	m.Opened = opened(t, s)
	if _, err := send(t, bot(t, s), m); err != nil || s.Messages()[1].Thread != "" {
		t.Errorf("%v, %+v", err, s.Messages()[1])
	}
}

// All remarks at once are more elements than Slack takes.
func TestFooterFitsElementsOfContext(t *testing.T) {
	s := slacktest.Start(t, nil)
	m := channeltest.Reminder()
	m.Suppressed, m.SuppressedSince, m.MayBeDuplicate, m.Replay, m.Alert.Shortened, m.Test = 14, m.Now.Add(-time.Hour), true, 2, true, true
	m.Instead = &channel.Instead{Channel: "desk-mail", Cause: strings.Repeat("suspended ", 100)}
	if _, err := send(t, bot(t, s), m); err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Requests(); n != 1 || s.Messages()[0].Attachments == "" {
		t.Errorf("%d requests, %+v", n, s.Messages())
	}
}
