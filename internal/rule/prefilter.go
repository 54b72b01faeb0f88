package rule

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/topics"
)

// Prefilter recognises most events that raise no alert without decoding them. It
// evaluates the rules' conditions on the values that an event.Scanner finds. It is
// safe for concurrent use.
type Prefilter struct{ topics map[string]*filter }

// Prefilter returns the prefilter of the rules for records that d decodes. It has
// no topic with a rule that would match an event without members, or that reads
// meta or the whole event first.
func (s *Set) Prefilter(d *event.Decoder) *Prefilter {
	p := &Prefilter{topics: make(map[string]*filter)}
	for _, name := range topics.All() {
		f := s.filter(string(name), d)
		if f.quiet(f.scope(time.Time{}, 0)) {
			p.topics[string(name)] = f
		}
	}
	return p
}

// Quiet reports whether d.Decode certainly reads a record without an error or a
// repair, and Match certainly returns neither an alert nor an error, given what is known
// to be resolved. The headers of the record are not read; event.Scanner.Scan says what
// they must not be.
func (p *Prefilter) Quiet(rec event.Record, now time.Time, known *Resolved) bool {
	f := p.topics[rec.Topic]
	if f == nil {
		return false
	}
	sc := f.scope(now, len(rec.Value))
	sc.known = known
	quiet := f.scanner.Scan(rec.Value, rec.Time, rec.Arrived, sc.found) && f.quiet(sc)
	clear(sc.found)
	clear(sc.wheres)
	*sc = scope{found: sc.found, wheres: sc.wheres} // the pool must not hold a record
	f.scopes.Put(sc)
	return quiet
}

// filter is the prefilter of one topic.
type filter struct {
	scanner *event.Scanner
	steps   int                   // as Set.steps
	pins    []*pin                // of rules that begin with a comparison with texts
	others  []condition           // of the other rules
	wheres  map[*expression]truth // compiled once: rules of a topic share its default
	scopes  sync.Pool
}

// shared is the result of a where that was evaluated for an event.
type shared struct {
	evaluated, holds bool
	steps            int
}

// condition is when, where and clear of a rule; where and clear are nil if there is none.
type condition struct {
	when, where, clear truth
	id                 string  // of clear: see clearing
	key                []value // of a rule with clear
}

// pin is a path of which rules require one of some texts.
type pin struct {
	path   []string
	at     int // its index in the found values
	cost   int // see readCost
	byText map[string][]condition
	all    []condition
	texts  int // of all rules
}

func (s *Set) filter(topic string, d *event.Decoder) *filter {
	f := &filter{scanner: d.Scanner(topic), steps: s.steps, wheres: make(map[*expression]truth)}
	c := &compiler{vars: s.vars, zone: s.zone, scanner: f.scanner}
	for _, r := range s.byTopic[topic] {
		rule := condition{when: c.condition(r.when.node)}
		if r.where != nil {
			rule.where = f.where(c, r.where)
		}
		path, texts := c.pins(r.when.node)
		if r.clear != nil {
			rule.clear, rule.id = c.condition(r.clear.when.node), r.clear.id
			for _, k := range r.key {
				rule.key = append(rule.key, c.value(k.node))
			}
			clears, more := c.pins(r.clear.when.node)
			if !slices.Equal(path, clears) {
				path = nil
			}
			texts = append(texts, more...)
		}
		if path != nil {
			f.pin(path).add(texts, rule)
		} else {
			f.others = append(f.others, rule)
		}
	}
	return f
}

// where compiles a where that several rules may have. It is evaluated once per event; its
// steps count for each rule, as Match counts them.
func (f *filter) where(c *compiler, e *expression) truth {
	if test, ok := f.wheres[e]; ok {
		return test
	}
	eval, at := c.condition(e.node), len(f.wheres)
	test := func(s *scope) bool {
		w := &s.wheres[at]
		if w.evaluated {
			s.spend(w.steps)
			return w.holds
		}
		before := s.spent
		w.evaluated, w.holds = true, eval(s)
		w.steps = s.spent - before
		return w.holds
	}
	f.wheres[e] = test
	return test
}

func (f *filter) pin(path []string) *pin {
	for _, p := range f.pins {
		if slices.Equal(p.path, path) {
			return p
		}
	}
	p := &pin{path: path, at: f.scanner.Find(path), cost: readCost(path), byText: make(map[string][]condition)}
	f.pins = append(f.pins, p)
	return p
}

func (p *pin) add(texts []string, rule condition) {
	for _, text := range texts {
		p.byText[text] = append(p.byText[text], rule)
	}
	p.all = append(p.all, rule)
	p.texts += len(texts)
}

// candidates returns the rules that may match an event with this text.
func (p *pin) candidates(s *scope) []condition {
	s.spend(p.texts * (1 + p.cost*s.size>>10 + s.size>>4)) // at least what Match takes for the others
	switch v, _ := s.found[p.at].Value(); v.Kind() {
	case event.String:
		return p.byText[v.Text()]
	case event.Number: // equal to a text that is a number
		return p.all
	}
	return nil
}

// scope returns a scope for an event of size bytes.
func (f *filter) scope(now time.Time, size int) *scope {
	sc, ok := f.scopes.Get().(*scope)
	if !ok {
		sc = &scope{found: make([]event.Found, f.scanner.Size()), wheres: make([]shared, len(f.wheres))}
	}
	sc.now, sc.size, sc.limit = now, size, math.MaxInt
	return sc
}

// quiet reports whether certainly no rule matches.
func (f *filter) quiet(s *scope) bool {
	for _, p := range f.pins {
		if anyMatches(p.candidates(s), s) {
			return false
		}
	}
	return !anyMatches(f.others, s) && s.spent <= f.steps
}

// anyMatches reports whether a rule matches or cannot be decided.
func anyMatches(rules []condition, s *scope) bool {
	for i := range rules {
		r := &rules[i]
		if r.when(s) && (r.where == nil || r.where(s)) || s.undecided {
			return true
		}
		if r.clear != nil && (r.clears(s) || s.undecided) {
			return true
		}
	}
	return false
}

// clears reports whether a rule raises a resolved alert, or that cannot be decided.
func (r *condition) clears(s *scope) bool {
	if !r.clear(s) || r.where != nil && !r.where(s) {
		return false
	}
	if s.known == nil {
		return true
	}
	h := s.known.begin(r.id)
	for _, k := range r.key {
		v := k(s)
		switch {
		case isAbsent(v):
			h.part("")
		case v.Kind() == event.String || v.Kind() == event.Number: // as displayAll prints them
			s.spend(1 + len(v.Text())>>2)
			h.part(v.Text())
		default:
			h.part(displayAll(&s.meter, v))
		}
	}
	return !s.known.has(h.sum)
}

// scanned compiles a path below a root other than vars for a prefilter.
func (c *compiler) scanned(root string, path []string) value {
	switch {
	case root == "ce": // no CloudEvent is scanned
		return constant(event.Value{})
	case root != "event" || len(path) == 0:
		return func(s *scope) event.Value {
			s.undecided = true
			return event.Value{}
		}
	}
	at, cost := c.scanner.Find(path), readCost(path)
	return func(s *scope) event.Value {
		s.spend(cost * s.size >> 10)
		v, ok := s.found[at].Value()
		s.undecided = s.undecided || !ok
		return v
	}
}

// scannedOrder compiles the comparison of a path with a number for a prefilter, without
// copies: the usual condition. nil: it is none.
func (c *compiler) scannedOrder(left ast.Node, right *event.Value, accepts [3]bool) truth {
	names, base, rest := c.unfold(left)
	root, ok := base.(*ast.IdentifierNode)
	y, isNumber := number(*right)
	if c.scanner == nil || !ok || root.Value != "event" || len(names) == 0 || rest != nil || !isNumber || right.Kind() != event.Number || math.Abs(y) >= exact {
		return nil
	}
	generic, at, cost := c.scanned(root.Value, names), c.scanner.Find(names), readCost(names)
	return func(s *scope) bool {
		f := &s.found[at]
		switch f.Kind() {
		case event.Missing, event.Null:
			s.spend(cost * s.size >> 10)
			return false
		case event.Number:
			s.spend(cost * s.size >> 10)
			x := f.Number()
			return x-x == 0 && accepts[cmp.Compare(x, y)+1] // of a number beyond float64 there is no order
		}
		x := generic(s)
		sign, ok := s.order(&x, right)
		return ok && accepts[sign+1]
	}
}

// readCost returns at least the steps of meter.member for a path, for each KiB of an event, in which a member takes 5
// bytes or more.
func readCost(path []string) int {
	cost := 0
	for _, name := range path {
		cost += 64 + len(name)
	}
	return cost
}

// pins returns a path and texts if the condition is false for every other text,
// and evaluating it then reads only that path; else nil.
func (c *compiler) pins(n ast.Node) (path, texts []string) {
	b, ok := n.(*ast.BinaryNode)
	if !ok {
		return nil, nil
	}
	switch b.Operator {
	case "and", "&&":
		return c.pins(b.Left)
	case "or", "||":
		path, texts = c.pins(b.Left)
		if other, more := c.pins(b.Right); slices.Equal(path, other) {
			return path, append(texts, more...)
		}
	case "==", "in":
		names, base, rest := c.unfold(b.Left)
		if root, ok := base.(*ast.IdentifierNode); !ok || root.Value != "event" || len(names) == 0 || rest != nil || !isConstant(b.Right) {
			return nil, nil
		}
		list := c.value(b.Right)(nil)
		if b.Operator == "==" {
			list = event.ArrayValue([]event.Value{list})
		}
		for i := range list.Len() {
			v := list.At(i)
			if list.Kind() != event.Array || v.Kind() != event.String {
				return nil, nil
			}
			texts = append(texts, v.Text())
		}
		if texts != nil {
			return names, texts
		}
	}
	return nil, nil
}
