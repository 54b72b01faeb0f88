package slack_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/channeltest"
	"github.com/algotrade/notifier/internal/channel/slack/slacktest"
)

func TestPreviewIsWhatIsSent(t *testing.T) {
	s := slacktest.Start(t, nil)
	c := bot(t, s)
	m := channeltest.Message()
	m.Alert.Severity = alert.Critical
	if _, err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	p, err := c.Preview(m)
	if err != nil || len(p.Parts) != 2 || p.Parts[1].Name != "chat.postMessage" {
		t.Fatalf("%+v, %v", p, err)
	}
	var got, want struct {
		Text                string
		Blocks, Attachments any
	}
	sent := s.Messages()[0]
	want.Text = sent.Text
	for text, into := range map[string]any{p.Parts[1].Content: &got, sent.Blocks: &want.Blocks, sent.Attachments: &want.Attachments} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if p, err := c.Preview(channeltest.Resolved()); err != nil || p.Parts[1].Name != "chat.update" || p.Parts[2].Content != "✅ Resolved after 2 h 5 m" {
		t.Errorf("%+v, %v", p.Parts, err)
	}
	if n, _ := s.Requests(); n != 1 {
		t.Errorf("a preview made %d requests", n-1)
	}
}
