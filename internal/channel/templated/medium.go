package templated

import (
	"html"
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
)

// medium is how texts are written for a provider. Both functions return markup that is
// shown as the given text and that neither mentions nor links.
type medium struct {
	literal func(string) string // a text of a rule, or of ours
	value   func(string) string // a value of an event
	size    func(string) int    // of a text with markup, as the provider counts
}

func asIs(s string) string { return s }

// units counts UTF-16 code units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

func bytesOf(s string) int { return len(s) }

var (
	plain = medium{asIs, asIs, bytesOf}
	// markdown is that of Discord and Mattermost: in a code span nothing is markup, a
	// mention or a link.
	markdown = medium{escapeMarkdown, codeSpan, units}
	// cards are Google Chat's texts in cards, which have HTML tags and no mentions.
	cards = medium{html.EscapeString, html.EscapeString, bytesOf}
	// chat is Telegram's HTML. It links addresses and mentions by itself, but not in code.
	chat = medium{html.EscapeString, func(s string) string { return "<code>" + html.EscapeString(s) + "</code>" }, units}
)

// escapeMarkdown writes a backslash before each character that can be markup in the
// middle of a line. It is for texts of rules: a value is a codeSpan.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_~|<>[]#", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// codeSpan returns a code span (CommonMark 0.31, 6.1), whose fence is longer than any
// run of backticks in s.
func codeSpan(s string) string {
	if strings.TrimSpace(s) == "" {
		return s
	}
	longest, run := 0, 0
	for i := range len(s) {
		if run++; s[i] != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return fence + s + fence
}

// write returns a text with markup. Neighbouring values become one, since the fences of
// two code spans would be one.
func (m medium) write(t alert.Text) string {
	var b, value strings.Builder
	end := func() {
		if value.Len() > 0 {
			b.WriteString(m.value(value.String()))
			value.Reset()
		}
	}
	for _, p := range t {
		switch {
		case p.Text == "":
		case p.Value:
			value.WriteString(p.Text)
		default:
			end()
			b.WriteString(m.literal(p.Text))
		}
	}
	end()
	return b.String()
}

// fit returns a text with markup whose size is at most limit. A longer one is cut at a
// rune and ends in an ellipsis.
func (m medium) fit(t alert.Text, limit int) string {
	whole := m.write(t)
	if m.size(whole) <= limit {
		return whole
	}
	// The size may shrink by a few when a rune is added, such as a closing backtick:
	// then a shorter text than possible is found.
	n := sort.Search(utf8.RuneCountInString(t.String()), func(n int) bool { return m.size(m.write(first(t, n))) > limit }) - 1
	for ; n >= 0; n-- {
		if text := m.write(first(t, n)); m.size(text) <= limit {
			return text
		}
	}
	return ""
}

// first returns the first n runes of a text, and an ellipsis.
func first(t alert.Text, n int) alert.Text {
	var out alert.Text
	for _, p := range t {
		if count := utf8.RuneCountInString(p.Text); count <= n {
			out = append(out, p)
			n -= count
			continue
		}
		p.Text = string([]rune(p.Text)[:n])
		return append(out, p, alert.Part{Text: "…"})
	}
	return append(out, alert.Part{Text: "…"})
}

// lines returns the lines of a content whose size is at most limit together, and what
// stands for those that do not fit: "and 9 more" in a digest. A line takes at most half
// of the limit.
func (m medium) lines(c channel.Content, limit int) []string {
	var out []string
	used := 0
	for i, line := range c.Lines {
		rest := more(c, len(c.Lines)-i)
		next := more(c, len(c.Lines)-i-1)
		text := m.fit(line, limit/2)
		if used+m.size(text)+1+m.size(m.literal(next)) > limit {
			return append(out, m.literal(rest))
		}
		used += m.size(text) + 1
		out = append(out, text)
	}
	if rest := more(c, 0); rest != "" {
		out = append(out, m.literal(rest))
	}
	return out
}

// more says that lines are left out.
func more(c channel.Content, lines int) string {
	switch n := lines + c.More; {
	case n == 0:
		return ""
	case c.Digest:
		return "and " + humanize.Comma(int64(n)) + " more"
	}
	return "…"
}

// literal returns a text that has no value of an event.
func literal(s string) alert.Text { return alert.Text{{Text: s}} }
