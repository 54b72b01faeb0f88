package channels

import (
	"html"
	"strings"
	"unicode"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/plural"
)

// omitted returns which texts of a message are not whole in what is sent, judged by what
// is sent: markup, escapes and line breaks are of no account.
func omitted(m channel.Message, shown channel.Preview) []string {
	var all strings.Builder
	for _, part := range shown.Parts {
		all.WriteString(bare(part.Content))
	}
	sent := all.String()
	whole := func(t alert.Text) bool {
		for _, p := range t {
			for _, line := range strings.Split(alert.VisibleLines(p.Text), "\n") {
				if !strings.Contains(sent, bare(line)) {
					return false
				}
			}
		}
		return true
	}
	cut := []string{}
	add := func(n int, one string) {
		if n > 0 {
			cut = append(cut, plural.Count(n, one))
		}
	}
	if shown.Textless {
		return cut
	}
	if d := m.Digest; d != nil {
		rows := 0
		for _, item := range d.Items {
			if !whole(item.Title) {
				rows++
			}
		}
		add(rows, "title")
		return cut
	}
	if !whole(m.Alert.Title) {
		cut = append(cut, "the title")
	}
	fields := 0
	for _, f := range m.Alert.Fields {
		if !whole(f.Value) {
			fields++
		}
	}
	add(fields, "field")
	if !whole(m.Alert.Text) {
		cut = append(cut, "the text")
	}
	return cut
}

// bare returns a text without white space, escapes and the characters of markup.
func bare(s string) string {
	s = html.UnescapeString(strings.NewReplacer(`\n`, " ", `\"`, `"`, `\\`, `\`).Replace(s))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune("\\`*", r) {
			return -1
		}
		return r
	}, s)
}
