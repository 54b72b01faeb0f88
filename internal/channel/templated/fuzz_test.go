package templated

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/channel/templated/templatedtest"
	"github.com/algotrade/notifier/internal/secret"
)

// message returns a message with a value everywhere an event can put one.
func message(value string, repeat int) channel.Message {
	value = strings.Repeat(value, repeat)
	text := alert.Text{{Text: "A "}, {Text: value, Value: true}, {Text: " z"}}
	at := time.Unix(1795444265, 0)
	m := channel.Message{Delivery: "dl_x", Now: at, Alert: alert.Alert{
		ID: "al_x", Rule: "a-rule", Severity: alert.Critical, Key: []string{value}, Title: text, Text: text, Topic: "orders",
		Fields: []alert.Field{{Label: "field", Value: text[1:2]}, {Label: "other", Value: text}}, EventTime: at, EventType: value, EventID: value,
	}}
	m.Instead = &channel.Instead{Channel: value, Cause: value}
	m.Alert.Bound()
	return m
}

func digestOf(m channel.Message) channel.Message {
	m.Digest = &channel.Digest{Group: m.Alert.Key, Groups: 1, Alerts: 40, Items: []alert.Alert{m.Alert, m.Alert, m.Alert}}
	return m
}

// rendered returns the bodies that a preset makes of a message and of a digest.
func rendered(t *testing.T, p preset, m channel.Message) [][]byte {
	t.Helper()
	c := &Channel{preset: p, config: Config{Preset: p.name, Chat: "-1001234567890", Topic: secret.New("s3cret-topic")}}
	var bodies [][]byte
	for _, m := range []channel.Message{m, digestOf(m)} {
		body, err := c.render(m)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// FuzzBodies renders a value with every preset: its provider accepts the body, and in
// those with markup the value stands in code or is escaped.
func FuzzBodies(f *testing.F) {
	for i, seed := range []string{
		"@everyone", "<!channel> <users/all> @here", "`", "``@all``", " `a` ", "\\`@here", "[a](https://evil.example.com)", "</code><b>", "&lt;", "a\nb\u202e\x00\xff", "😀", "*_~|#", "",
	} {
		f.Add(seed, uint16(1+i*i*9))
	}
	f.Fuzz(func(t *testing.T, value string, repeat uint16) {
		m := message(value, min(int(repeat), 1+20_000/(1+len(value))))
		for _, p := range presets {
			for _, body := range rendered(t, p, m) {
				if a := templatedtest.Judge(p.name, body); a.Status >= 300 {
					t.Fatalf("%s refuses %s\n%s", p.name, a.Body, body)
				}
				if visible := alert.VisibleLines(string(body)); visible != string(body) {
					t.Errorf("%s contains invisible characters: %q", p.name, body)
				}
				assertHarmless(t, p.name, body)
			}
		}
	})
}

// marked are the texts with markup, by preset: the others have none that is interpreted.
var marked = map[string]func(text string) string{"discord": outsideCode, "mattermost": outsideCode, "telegram": outsideTags}

// assertHarmless fails the test if a text with markup has more outside of code than the
// rule's own texts and ours.
func assertHarmless(t *testing.T, name string, body []byte) {
	t.Helper()
	outside := marked[name]
	if outside == nil {
		return
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts(doc, "") {
		if rest := ours.ReplaceAllString(outside(text), ""); strings.Trim(rest, " \n…–") != "" {
			t.Errorf("%s: %q is outside of code in %q", name, rest, text)
		}
	}
}

// ours are the texts that no event chooses.
var ours = regexp.MustCompile(`🔴 CRITICAL|\d\d:\d\d:\d\d|40 alerts since|:  ?|and \d+ more|a-rule|field:|other:|\bA\b|\bz\b|\d+ \w{3} | UTC|·|shortened|instead of [\pL\pN_.,:;()%'+=⟨⟩ …-]*`)

// texts returns the texts of a message in which its provider interprets markup.
func texts(v any, key string) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			if k != "footer" && k != "timestamp" && k != "color" && k != "chat_id" && k != "parse_mode" && k != "name" && k != "title" {
				all = append(all, texts(child, k)...)
			}
		}
	case []any:
		for _, child := range v {
			all = append(all, texts(child, key)...)
		}
	case string:
		all = append(all, v)
	}
	return all
}

// outsideCode returns a text without its code spans (CommonMark 0.31, 6.1).
func outsideCode(s string) string {
	var b strings.Builder
	for s != "" {
		if s[0] == '\\' && len(s) > 1 {
			b.WriteByte(s[1])
			s = s[2:]
			continue
		}
		run := len(s) - len(strings.TrimLeft(s, "`"))
		if run == 0 {
			_, n := utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
			s = s[n:]
			continue
		}
		end := closing(s[run:], run)
		if end < 0 {
			b.WriteString(s[:run])
			s = s[run:]
			continue
		}
		s = s[run+end+run:]
	}
	return b.String()
}

// closing returns the index of a run of exactly n backticks.
func closing(s string, n int) int {
	for i := 0; i < len(s); i++ {
		run := len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
		if run == n {
			return i
		}
		i += max(run-1, 0)
	}
	return -1
}

var code, tag = regexp.MustCompile(`(?s)<code>[^<>]*</code>`), regexp.MustCompile(`</?[bi]>`)

// outsideTags returns a text without what stands in code, and without tags.
func outsideTags(s string) string {
	return html.UnescapeString(tag.ReplaceAllString(code.ReplaceAllString(s, ""), ""))
}

// FuzzFit: a text that is cut is valid markup of at most the limit.
func FuzzFit(f *testing.F) {
	f.Add("a`b", "``", 5)
	f.Add("<b>", "&&&&", 12)
	f.Add("😀😀", "ü", 3)
	f.Fuzz(func(t *testing.T, literal, value string, limit int) {
		limit = 1 + abs(limit)%500
		whole := alert.Text{{Text: alert.Visible(literal)}, {Text: alert.Visible(value), Value: true}}
		for name, m := range map[string]medium{"plain": plain, "markdown": markdown, "cards": cards, "chat": chat} {
			got := m.fit(whole, limit)
			if m.size(got) > limit || !utf8.ValidString(got) {
				t.Errorf("%s: %q has %d of %d", name, got, m.size(got), limit)
			}
			if all := m.write(whole); m.size(all) <= limit && got != all {
				t.Errorf("%s: %q is cut to %q", name, all, got)
			}
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }

func TestFitKeepsAsMuchAsPossible(t *testing.T) {
	text := alert.Text{{Text: "Rejected: "}, {Text: strings.Repeat("`", 50) + strings.Repeat("<é", 500), Value: true}}
	for name, m := range map[string]medium{"plain": plain, "markdown": markdown, "cards": cards, "chat": chat} {
		for limit := 180; limit < 400; limit += 7 {
			got := m.fit(text, limit)
			if n := m.size(got); n > limit || n < limit-20 || !strings.Contains(got, "…") {
				t.Errorf("%s: %d of %d: %s", name, n, limit, got)
			}
		}
	}
}

func TestCodeSpanHoldsAnyValue(t *testing.T) {
	for want, text := range map[string]alert.Text{
		"`a`b": {{Text: "a", Value: true}, {Text: "b"}}, "```a`b``c```": {{Text: "a`b``c", Value: true}}, "`` ` ``": {{Text: "`", Value: true}},
		"``a`b``": {{Text: "a`", Value: true}, {Text: ""}, {Text: "b", Value: true}}, "\\`": {{Text: "`"}}, " ": {{Text: " ", Value: true}},
	} {
		if got := markdown.write(text); got != want {
			t.Errorf("%v is written %s, want %s", text, got, want)
		}
	}
}
