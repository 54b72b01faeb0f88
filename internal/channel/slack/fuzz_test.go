package slack

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// odd returns a message with a value everywhere an event, or another provider, can put one.
func odd(value string, repeat int) channel.Message {
	value = strings.Repeat(value, repeat)
	text := alert.Text{{Text: "A "}, {Text: value, Value: true}, {Text: " z"}}
	at := time.Unix(1795444265, 0)
	m := channel.Message{Delivery: "dl_x", Now: at.Add(5 * time.Minute), Since: at, Reminder: true, Suppressed: 3, SuppressedSince: at, Alert: alert.Alert{
		ID: "al_x", Rule: "a-rule", Severity: alert.Critical, Key: []string{value}, Title: text, Text: text, Topic: "orders", Runbook: "https://wiki.example.com/x",
		Fields: []alert.Field{{Label: "field", Value: text[1:2]}, {Label: "other", Value: text}}, EventTime: at, EventType: value, EventID: value,
	}}
	m.Instead = &channel.Instead{Channel: value, Cause: value}
	m.Alert.Bound()
	return m
}

// objects collects the text objects of a rendered message, by their type.
func objects(t *testing.T, r rendered) map[string][]string {
	t.Helper()
	b, err := json.Marshal([]any{r.head, r.body})
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if text, is := v["text"].(string); is {
				kind := v["type"].(string)
				all[kind] = append(all[kind], text)
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(tree)
	return all
}

// FuzzRender renders a value: it stands in plain_text only, the text beside the blocks is
// escaped, and Slack's limits are kept.
func FuzzRender(f *testing.F) {
	for i, seed := range []string{"<!channel>", "<@U012AB3CD>", "<https://evil.example.com|AAPL>", "*_~`", "&lt;!here&gt;", "a\nb\u202e\x00\xff", "😀", ""} {
		f.Add(seed, uint16(1+i*i*40))
	}
	c := &Channel{config: Config{Mentions: map[string][]string{string(alert.Critical): {"here"}}}}
	f.Fuzz(func(t *testing.T, value string, repeat uint16) {
		for _, digest := range []bool{false, true} {
			m, usual := odd(value, int(repeat)), odd("x", 1)
			for _, m := range []*channel.Message{&m, &usual} {
				if digest {
					m.Digest = &channel.Digest{Group: m.Alert.Key, Groups: 1, Alerts: 40, First: m.Alert.EventTime, Last: m.Now, Items: []alert.Alert{m.Alert, m.Alert, m.Alert}}
				}
			}
			r := c.render(m)
			known := make(map[string]bool)
			for _, text := range objects(t, c.render(usual))["mrkdwn"] {
				known[text] = true
			}
			all := objects(t, r)
			for _, text := range all["mrkdwn"] {
				if !known[text] {
					t.Errorf("markup %q", text)
				}
			}
			for _, text := range all["plain_text"] {
				if n := utf8.RuneCountInString(text); n == 0 || n > maxSection || !utf8.ValidString(text) {
					t.Errorf("plain text of %d characters", n)
				}
			}
			text, mention := strings.CutPrefix(r.text, "<!here> ")
			if !mention || strings.ContainsAny(text, "<>") || utf8.RuneCountInString(text) > maxText || !utf8.ValidString(text) {
				t.Errorf("text %.200q", r.text)
			}
			if n := size(r); n > maxBlocks {
				t.Errorf("%d characters of blocks", n)
			}
		}
	})
}
