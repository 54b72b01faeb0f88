package rule

import (
	"strings"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/expr/calc"
)

// template is a text with holes, such as "Drawdown {{ pct(event.drawdown) }}".
type template []segment

type segment struct {
	literal string
	hole    *expression
}

// template compiles a text. Places in holes are relative to the whole text.
func (c *compiler) template(source string) template {
	var t template
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
			c.problems = append(c.problems, problem{at: utf8.RuneCountInString(source[:at+open]), message: "the hole {{ is not closed with }}"})
			return t
		}
		before := len(c.problems)
		hole := c.compile(source[start : start+end])
		for i := before; i < len(c.problems); i++ {
			c.problems[i].at += utf8.RuneCountInString(source[:start])
		}
		t = append(t, segment{hole: &hole})
		at = start + end + len("}}")
	}
	return t
}

// text evaluates the holes: texts of the rules file are literals, texts of the
// event are values. calc.Display copies them, so that an alert does not keep the
// event's memory alive.
func (t template) text(s *scope) alert.Text {
	parts := make(alert.Text, len(t))
	for i, seg := range t {
		if seg.hole == nil {
			parts[i] = alert.Part{Text: seg.literal}
			continue
		}
		parts[i] = alert.Part{Text: calc.Display(seg.hole.eval(s)), Value: true}
	}
	return parts
}
