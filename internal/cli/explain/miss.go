package explain

import (
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/expr/trace"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rule"
	"github.com/algotrade/notifier/internal/term"
)

// miss prints in full why a rule is not raised.
func (p *page) miss(e *rule.Explanation) {
	yes, no := e.Tally()
	p.line(0, "%s does not fire: %d of %s false", e.Rule, no, plural.Count(yes+no, "part")+" "+plural.VerbOf(no, "is", "are"))
	first := true
	for _, c := range []*rule.Condition{&e.When, e.Where} {
		if c == nil || c.True {
			continue
		}
		if first {
			p.marked(c, e)
		} else {
			p.line(2, "also false: %s", briefPart(c, c.Decisive()[0]))
		}
		first = false
	}
	if e.Clear != nil && !e.Clear.True {
		p.line(2, "nor does it resolve, clear is false: %s", briefPart(e.Clear, e.Clear.Decisive()[0]))
	}
}

// marked prints a condition with carets under what makes it false, the values, and the other
// parts that are false too.
func (p *page) marked(c *rule.Condition, e *rule.Explanation) {
	decisive := c.Decisive()
	if c == e.Where {
		p.line(2, "%s:", whereName(c))
	}
	for _, line := range marked(c.Source, decisive, max(p.width-2, 20)) {
		fmt.Fprintf(p, "  %s\n", p.g.Redactor.Redact(line))
	}
	for _, part := range decisive {
		p.line(2, "%s", reading(part, len(decisive) > 1))
	}
	for _, part := range c.Conjuncts() {
		if !part.True && part.Start > decisive[len(decisive)-1].Start {
			p.line(2, "also false: %s", briefPart(c, part.Decisive()[0]))
		}
	}
}

func whereName(c *rule.Condition) string {
	if c.Default {
		return "the default where of the topic"
	}
	return "its where"
}

// brief prints in one line why a rule is not raised.
func (p *page) brief(e *rule.Explanation) {
	for _, c := range []*rule.Condition{&e.When, e.Where} {
		if c == nil || c.True {
			continue
		}
		text := term.Cut(p.visible(e.Rule+": "+briefPart(c, c.Decisive()[0])), max(p.width-2, 20))
		fmt.Fprintf(p, "  %s\n", text)
		return
	}
}

// briefPart returns a part that is false with its values.
func briefPart(c *rule.Condition, part trace.Part) string {
	text := reading(part, true)
	if c.Default {
		text += " (the default where of the topic)"
	}
	return text
}

// reading returns what a part read; named: behind the part.
func reading(part trace.Part, named bool) string {
	var values []string
	for _, v := range part.Values {
		values = append(values, v.String())
	}
	text := strings.Join(values, ", ")
	if part.Note != "" {
		text += strings.TrimPrefix("; "+part.Note, map[bool]string{true: "; "}[text == ""])
	}
	switch {
	case named && text != "":
		return part.Text + ": " + text
	case text == "":
		return part.Text + " is false"
	}
	return text
}

// prefixed returns a text behind a prefix; empty: neither.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
