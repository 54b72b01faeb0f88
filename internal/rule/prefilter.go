package rule

import (
	"slices"
	"sync"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
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
		if f.quiet(f.try(time.Time{}, 0)) {
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
	t := f.try(now, len(rec.Value))
	defer func() {
		if t.Spent > t.Limit { // or else a panic is not OverBudget
			if v := recover(); v != nil && v != any(calc.OverBudget{}) {
				panic(v)
			}
			quiet = false
		}
		f.release(t) // last: another goroutine may have it at once
	}()
	t.known = known
	return f.scanner.Scan(rec.Value, rec.Time, rec.Arrived, t.Found) && f.quiet(t)
}

// filter is the prefilter of one topic.
type filter struct {
	scanner *event.Scanner
	steps   int                         // as Set.steps
	pins    []*pin                      // of rules that begin with a comparison with texts
	others  []condition                 // of the other rules
	wheres  map[*expr.Expression]*where // compiled once: rules of a topic share its default
	tries   sync.Pool
}

// condition is when, where and clear of a rule; where and clear are nil if there is none.
type condition struct {
	when, clear expr.Truth
	where       *where
	id          string       // of clear: see clearing
	key         []expr.Value // of a rule with clear
}

// where is a where that several rules may have.
type where struct {
	test expr.Truth
	at   int // its index in the results of a try
}

// try is the evaluation of one event.
type try struct {
	expr.Scope
	wheres []whereResult
	known  *Resolved // nil: nothing is known
}

type whereResult struct {
	evaluated, holds bool
	steps            int
}

// passes evaluates a where once per event; its steps count for each rule, as Match counts
// them.
func (t *try) passes(w *where) bool {
	if w == nil {
		return true
	}
	r := &t.wheres[w.at]
	if r.evaluated {
		t.Spend(r.steps)
		return r.holds
	}
	before := t.Spent
	r.evaluated, r.holds = true, w.test(&t.Scope)
	r.steps = t.Spent - before
	return r.holds
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
	f := &filter{scanner: d.Scanner(topic), steps: s.steps, wheres: make(map[*expr.Expression]*where)}
	c := &expr.Compiler{Vars: s.vars, Zone: s.zone, Scanner: f.scanner}
	for _, r := range s.byTopic[topic] {
		rule := condition{when: c.Condition(r.when.Node)}
		if r.where != nil {
			rule.where = f.where(c, r.where)
		}
		path, texts := pins(c, r.when.Node)
		if r.clear != nil {
			rule.clear, rule.id = c.Condition(r.clear.when.Node), r.clear.id
			for _, k := range r.key {
				rule.key = append(rule.key, c.Value(k.Node))
			}
			clears, more := pins(c, r.clear.when.Node)
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

// where compiles a where that several rules may have.
func (f *filter) where(c *expr.Compiler, e *expr.Expression) *where {
	if f.wheres[e] == nil {
		f.wheres[e] = &where{test: c.Condition(e.Node), at: len(f.wheres)}
	}
	return f.wheres[e]
}

func (f *filter) pin(path []string) *pin {
	for _, p := range f.pins {
		if slices.Equal(p.path, path) {
			return p
		}
	}
	p := &pin{path: path, at: f.scanner.Find(path), cost: expr.ReadCost(path), byText: make(map[string][]condition)}
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
func (p *pin) candidates(s *expr.Scope) []condition {
	s.Spend(p.texts * (1 + p.cost*s.Size>>10 + s.Size>>4)) // at least what Match takes for the others
	switch v, _ := s.Found[p.at].Value(); v.Kind() {
	case event.String:
		return p.byText[v.Text()]
	case event.Number: // equal to a text that is a number
		return p.all
	}
	return nil
}

// try returns a try for an event of size bytes.
func (f *filter) try(now time.Time, size int) *try {
	t, ok := f.tries.Get().(*try)
	if !ok {
		t = &try{Scope: expr.NewScanned(f.scanner), wheres: make([]whereResult, len(f.wheres))}
	}
	t.Now, t.Size, t.Limit = now, size, f.steps
	return t
}

// release gives a try back, without what it holds of a record.
func (f *filter) release(t *try) {
	t.Reset()
	clear(t.wheres)
	t.known = nil
	f.tries.Put(t)
}

// quiet reports whether certainly no rule matches.
func (f *filter) quiet(t *try) bool {
	for _, p := range f.pins {
		if anyMatches(p.candidates(&t.Scope), t) {
			return false
		}
	}
	return !anyMatches(f.others, t)
}

// anyMatches reports whether a rule matches or cannot be decided.
func anyMatches(rules []condition, t *try) bool {
	for i := range rules {
		r := &rules[i]
		if r.when(&t.Scope) && t.passes(r.where) || t.Undecided {
			return true
		}
		if r.clear != nil && (r.clears(t) || t.Undecided) {
			return true
		}
	}
	return false
}

// clears reports whether a rule raises a resolved alert, or that cannot be decided.
func (r *condition) clears(t *try) bool {
	if !r.clear(&t.Scope) || !t.passes(r.where) {
		return false
	}
	if t.known == nil {
		return true
	}
	h := t.known.begin(r.id)
	for _, k := range r.key {
		v := k(&t.Scope)
		switch {
		case calc.IsAbsent(v):
			h.part("")
		case v.Kind() == event.String || v.Kind() == event.Number: // as calc.DisplayAll prints them
			t.Spend(1 + len(v.Text())>>2)
			h.part(v.Text())
		default:
			h.part(calc.DisplayAll(&t.Meter, v))
		}
	}
	return !t.known.has(h.sum)
}
