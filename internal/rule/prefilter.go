package rule

import (
	"slices"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr/calc"
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
func (p *Prefilter) Quiet(rec event.Record, now time.Time, known *Resolved) (quiet bool) {
	f := p.topics[rec.Topic]
	if f == nil {
		return false
	}
	sc := f.scope(now, len(rec.Value))
	defer func() {
		if sc.Spent > sc.Limit { // or else a panic is not OverBudget
			if v := recover(); v != nil && v != any(calc.OverBudget{}) {
				panic(v)
			}
			quiet = false
		}
		f.release(sc) // last: another goroutine may have it at once
	}()
	sc.known = known
	return f.scanner.Scan(rec.Value, rec.Time, rec.Arrived, sc.found) && f.quiet(sc)
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
			s.Spend(w.steps)
			return w.holds
		}
		before := s.Spent
		w.evaluated, w.holds = true, eval(s)
		w.steps = s.Spent - before
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
	s.Spend(p.texts * (1 + p.cost*s.size>>10 + s.size>>4)) // at least what Match takes for the others
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
		sc = &scope{found: make([]event.Found, f.scanner.Size()), wheres: make([]shared, len(f.wheres)), lists: event.NewLists()}
	}
	sc.now, sc.size, sc.Limit = now, size, f.steps
	return sc
}

// release gives a scope back, without what it holds of a record.
func (f *filter) release(sc *scope) {
	clear(sc.found)
	clear(sc.wheres)
	clear(sc.elements[:cap(sc.elements)])
	if sc.cache != nil {
		clear(sc.cache.slots)
	}
	sc.lists.Reset()
	*sc = scope{found: sc.found, wheres: sc.wheres, lists: sc.lists, elements: sc.elements[:0], cache: sc.cache}
	f.scopes.Put(sc)
}

// quiet reports whether certainly no rule matches.
func (f *filter) quiet(s *scope) bool {
	for _, p := range f.pins {
		if anyMatches(p.candidates(s), s) {
			return false
		}
	}
	return !anyMatches(f.others, s)
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
		case calc.IsAbsent(v):
			h.part("")
		case v.Kind() == event.String || v.Kind() == event.Number: // as calc.DisplayAll prints them
			s.Spend(1 + len(v.Text())>>2)
			h.part(v.Text())
		default:
			h.part(calc.DisplayAll(&s.Meter, v))
		}
	}
	return !s.known.has(h.sum)
}
