package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// Text is a text with holes, such as "Drawdown {{ pct(event.drawdown) }}".
type Text []segment

type segment struct {
	literal string
	hole    *Expression
}

// Hole returns a text that is one hole and nothing else.
func Hole(e Expression) Text { return Text{{hole: &e}} }

// Text compiles a text. Places in holes are relative to the whole text.
func (c *Compiler) Text(source string) Text {
	var t Text
	for at := 0; at < len(source); {
		open := strings.Index(source[at:], "{{")
		if open < 0 {
			t = append(t, segment{literal: source[at:]})
			break
		}
		if open > 0 {
			t = append(t, segment{literal: source[at : at+open]})
		}
		start := at + open + len("{{")
		end := strings.Index(source[start:], "}}")
		if end < 0 {
			c.Problems = append(c.Problems, Problem{At: utf8.RuneCountInString(source[:at+open]), Message: "the hole {{ is not closed with }}"})
			return t
		}
		before := len(c.Problems)
		hole := c.Compile(source[start : start+end])
		for i := before; i < len(c.Problems); i++ {
			c.Problems[i].At += utf8.RuneCountInString(source[:start])
		}
		t = append(t, segment{hole: &hole})
		at = start + end + len("}}")
	}
	return t
}

// Of evaluates the holes: the text's own parts are literals, those of the event are
// values. calc.Display copies them, so that an alert does not keep the
// event's memory alive.
func (t Text) Of(s *Scope) alert.Text {
	parts := make(alert.Text, len(t))
	for i, seg := range t {
		if seg.hole == nil {
			parts[i] = alert.Part{Text: seg.literal}
			continue
		}
		parts[i] = alert.Part{Text: calc.Display(seg.hole.Eval(s)), Value: true}
	}
	return parts
}
