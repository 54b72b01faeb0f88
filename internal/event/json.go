package event

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/algotrade/notifier/internal/outcome"
)

// MaxDepth limits the nesting of arrays and objects.
const MaxDepth = 64

// pooledStack is the largest stack of a pooled parser, in values.
const pooledStack = 1024

// parseJSON reads one JSON text (RFC 8259) in one pass. data must be UTF-8; the
// result's strings share its memory. NaN, Infinity, -Infinity and the largest float
// become null, and a byte order mark is skipped; repairs has the first of each kind.
// Top-level members that are not in members
// (nil: all) are checked but not kept; each kept value is taken from q.
func parseJSON(data []byte, members map[string]bool, q *Quota) (v Value, repairs []repair, err error) {
	p := parsers.Get().(*parser)
	p.data, p.pos, p.repairs, p.members, p.values, p.err = data, 0, nil, members, q.values, nil
	v = p.text()
	repairs, err, q.values = p.repairs, p.err, p.values
	if cap(p.stack) <= pooledStack {
		clear(p.stack[:max(p.high, len(p.stack))])
		p.high = 0
		p.data, p.repairs, p.members, p.err = nil, nil, nil, nil
		parsers.Put(p)
	}
	if err != nil {
		return Value{}, nil, err
	}
	return v, repairs, nil
}

// parser is pooled. Its stack holds the elements of all open containers, so that
// each container is allocated once, in its final size.
type parser struct {
	data    []byte
	pos     int
	stack   []Value
	members map[string]bool // to keep at the top level; nil: all
	high    int             // largest used length of stack
	values  int             // remaining values of the quota
	repairs []repair        // the first of each kind
	err     error
	lists   *Lists // whose memory the elements of containers use; nil: their own
}

var parsers = sync.Pool{New: func() any { return &parser{stack: make([]Value, 0, 64)} }}

func (p *parser) text() Value {
	p.stack = p.stack[:0]
	if bytes.HasPrefix(p.data, byteOrderMark) {
		p.pos = len(byteOrderMark)
		p.repair(repairedMark, "begins with a byte order mark: write UTF-8 without it")
	}
	p.space()
	if p.pos == len(p.data) {
		p.fail(outcome.NotJSON, "an empty value")
		return Value{}
	}
	v := p.value(0, true)
	if p.err != nil {
		return Value{}
	}
	p.space()
	if p.pos < len(p.data) && v.Kind() < Array {
		p.err = outcome.Errorf(outcome.NotJSON, "not JSON: %s and then other text at byte %d", v.Kind(), p.pos)
	} else if p.pos < len(p.data) {
		p.err = trailing(p.data[p.pos:], p.pos)
	}
	return v
}

// repair records the first repair of a kind.
func (p *parser) repair(kind, what string) {
	if !slices.ContainsFunc(p.repairs, func(r repair) bool { return r.kind == kind }) {
		p.repairs = append(p.repairs, repair{kind, what})
	}
}

// fail records the first error. At the end of the data it is Truncated.
func (p *parser) fail(cause outcome.Cause, what string) {
	switch {
	case p.err != nil:
	case cause == outcome.NotJSON && p.pos >= len(p.data) && len(p.data) > 0:
		p.err = outcome.Errorf(outcome.Truncated, "not JSON at byte %d (truncated)", len(p.data))
	default:
		p.err = outcome.Errorf(cause, "not JSON at byte %d (%s)", p.pos, what)
	}
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\r', '\n':
			p.pos++
		default:
			return
		}
	}
}

// value reads the next value; without keep it only checks it.
func (p *parser) value(depth int, keep bool) Value {
	if p.pos >= len(p.data) {
		p.fail(outcome.NotJSON, "")
		return Value{}
	}
	start := p.pos
	switch c := p.data[p.pos]; {
	case c == '{':
		return p.object(depth+1, keep)
	case c == '[':
		return p.array(depth+1, keep)
	case c == '"':
		s := p.string(keep)
		return StringValue(s)
	case c == '-' && p.literal("-Infinity"), c == 'N' && p.literal("NaN"), c == 'I' && p.literal("Infinity"):
		p.repair(NotANumber, fmt.Sprintf("%s at byte %d", p.data[start:p.pos], start))
		return NullValue()
	case c == '-' || c >= '0' && c <= '9':
		return p.number(keep)
	case c == 't' && p.literal("true"):
		return BoolValue(true)
	case c == 'f' && p.literal("false"):
		return BoolValue(false)
	case c == 'n' && p.literal("null"):
		return NullValue()
	}
	if p.err == nil && p.prefixOfLiteral() {
		p.pos = len(p.data)
	}
	p.unexpected("a value")
	return Value{}
}

func (p *parser) literal(word string) bool {
	if len(p.data)-p.pos < len(word) || string(p.data[p.pos:p.pos+len(word)]) != word {
		return false
	}
	p.pos += len(word)
	return true
}

// prefixOfLiteral reports whether the data ends inside a literal.
func (p *parser) prefixOfLiteral() bool {
	rest := string(p.data[p.pos:min(len(p.data), p.pos+len("-Infinity"))])
	for _, word := range []string{"true", "false", "null", "NaN", "Infinity", "-Infinity"} {
		if p.pos+len(rest) == len(p.data) && strings.HasPrefix(word, rest) {
			return true
		}
	}
	return false
}

func (p *parser) enter(depth int) bool {
	if depth > MaxDepth {
		p.err = outcome.Errorf(outcome.TooDeep, "nested deeper than %d levels at byte %d", MaxDepth, p.pos)
		return false
	}
	p.pos++ // the bracket
	p.space()
	return true
}

func (p *parser) object(depth int, keep bool) Value {
	if !p.enter(depth) {
		return Value{}
	}
	base := len(p.stack)
	if p.pos < len(p.data) && p.data[p.pos] == '}' {
		p.pos++
		return ObjectValue(nil)
	}
	for {
		if p.pos >= len(p.data) || p.data[p.pos] != '"' {
			p.unexpected("a member's name")
			return Value{}
		}
		name := p.string(keep)
		p.space()
		if p.err != nil || !p.take(':', "expected a colon") {
			return Value{}
		}
		p.space()
		kept := keep && (depth > 1 || p.members == nil || p.members[name])
		v := p.value(depth, kept)
		if p.err != nil {
			return Value{}
		}
		if kept {
			if len(p.stack) == cap(p.stack) && !p.grow() {
				return Value{}
			}
			p.stack = append(p.stack, Member(name, v))
		}
		if done, ok := p.next('}'); !ok {
			return Value{}
		} else if done {
			return ObjectValue(p.pop(base))
		}
	}
}

func (p *parser) array(depth int, keep bool) Value {
	if !p.enter(depth) {
		return Value{}
	}
	base := len(p.stack)
	if p.pos < len(p.data) && p.data[p.pos] == ']' {
		p.pos++
		return ArrayValue(nil)
	}
	for {
		v := p.value(depth, keep)
		if p.err != nil {
			return Value{}
		}
		if keep {
			if len(p.stack) == cap(p.stack) && !p.grow() {
				return Value{}
			}
			p.stack = append(p.stack, v)
		}
		if done, ok := p.next(']'); !ok {
			return Value{}
		} else if done {
			return ArrayValue(p.pop(base))
		}
	}
}

// next reads what follows an element: a comma or the closing bracket.
func (p *parser) next(closing byte) (done, ok bool) {
	p.space()
	expected := "expected a comma or }"
	if closing == ']' {
		expected = "expected a comma or ]"
	}
	switch {
	case p.pos < len(p.data) && p.data[p.pos] == closing:
		p.pos++
		return true, true
	case p.take(',', expected):
		p.space()
		return false, true
	}
	return false, false
}

func (p *parser) take(c byte, expected string) bool {
	if p.pos >= len(p.data) || p.data[p.pos] != c {
		p.fail(outcome.NotJSON, expected)
		return false
	}
	p.pos++
	return true
}

// grow enlarges a full stack; false: the quota is exceeded.
func (p *parser) grow() bool {
	if len(p.stack) > p.values {
		return p.tooMany()
	}
	p.stack = slices.Grow(p.stack, len(p.stack)) // append would allocate five times as much
	return true
}

func (p *parser) tooMany() bool {
	p.err = tooManyValues(fmt.Sprintf(" up to byte %d", p.pos))
	return false
}

func (p *parser) pop(base int) []Value {
	n := len(p.stack) - base
	if n == 0 {
		return nil
	}
	if p.values -= n; p.values < 0 {
		p.tooMany()
		return nil
	}
	out := p.lists.room(n)
	copy(out, p.stack[base:])
	p.high = max(p.high, len(p.stack))
	p.stack = p.stack[:base]
	return out
}
