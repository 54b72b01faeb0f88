package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/expr/calc"
	"github.com/algotrade/notifier/internal/expr/lint"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Compile reads a rules file and returns all faults. The set is nil if one of
// them is an error.
func Compile(file string, data []byte, env Environment) (*Set, yamldoc.Faults) {
	b := &builder{env: env, set: &Set{byName: make(map[string]*rule), byTopic: make(map[string][]*topicRule), steps: calc.MaxSteps}, nextSlot: new(int)}
	b.doc.Digest = digest.Defaults()
	faults := yamldoc.Decode(file, "", data, &b.doc)
	if len(faults.Errors()) == 0 || b.doc.At != (yamldoc.Cursor{}) {
		faults = append(faults, b.build()...)
		if len(faults.Errors()) == 0 {
			b.faults = nil
			b.unused()
			b.unusedCalendars()
			faults = append(faults, b.faults...)
		}
		faults.Sort()
	}
	if len(faults.Errors()) > 0 {
		return nil, faults
	}
	return b.set, faults
}

// builder compiles a document that could be read. It has a method for each key and each
// warning of the file: they report into one list, and some only once for all rules.
type builder struct {
	env      Environment
	doc      rulesfile.Document
	set      *Set
	faults   yamldoc.Faults
	paths    map[topics.Name][][]string // that the topic's expressions read
	nextSlot *int                       // shared by the compilers
	reported map[string]bool            // messages of the rule

	unresolved []*unresolved
	strangers  []*strangers
	usedVars   map[string]bool // by name; "": all

	usedCalendars map[string]bool
	hours         map[string]*quietHours        // by route
	documents     map[topics.Name][]event.Value // of the schemas
}

func (b *builder) build() yamldoc.Faults {
	if b.doc.Timezone.Location == nil {
		b.doc.Timezone.Location = time.UTC
	}
	b.paths, b.usedVars, b.usedCalendars = make(map[topics.Name][][]string), make(map[string]bool), make(map[string]bool)
	b.calendars()
	b.routes()
	defaultWhere := make(map[string]*expr.Expression)
	for name, d := range b.doc.Defaults {
		if d.Where == nil {
			continue
		}
		if topic, err := topics.Parse(name); err == nil {
			b.reported = make(map[string]bool)
			e := b.expression(*d.Where, b.examples([]topics.Name{topic}, nil, lint.ForCondition))
			defaultWhere[name] = &e
		}
	}
	names := make(map[string]int)
	for i := range b.doc.Rules {
		e := &b.doc.Rules[i]
		if first, duplicate := names[e.Name]; duplicate && e.Name != "" {
			b.fault(e.At.Field("name").Pos(), "duplicate rule name %q: already used in line %d", e.Name, first)
		}
		names[e.Name] = e.At.Field("name").Pos().Line
		b.rule(e, defaultWhere)
	}
	b.misses()
	b.unsampled()
	b.strange()
	b.set.reads, b.set.vars, b.set.zone = b.members(), b.doc.Vars.Value, b.doc.Timezone.Location
	b.set.digest = b.doc.Digest
	return b.faults
}

func (b *builder) fault(at yamldoc.Pos, format string, args ...any) {
	b.faults = append(b.faults, yamldoc.NewFault(at, false, fmt.Sprintf(format, args...)))
}

// of gives the last fault its kind.
func (b *builder) of(kind yamldoc.Kind) {
	last := len(b.faults) - 1
	b.faults[last] = b.faults[last].Of(kind)
}

func (b *builder) warn(at yamldoc.Pos, format string, args ...any) {
	b.faults = append(b.faults, yamldoc.NewFault(at, true, fmt.Sprintf(format, args...)))
}

func (b *builder) rule(e *rulesfile.Entry, defaultWhere map[string]*expr.Expression) {
	r := &rule{name: e.Name, topics: e.Topic, throttle: e.Throttle, expire: e.Expire, runbook: e.Runbook}
	if len(r.topics) == 0 {
		r.topics = topics.All()
	}
	b.reported = make(map[string]bool)
	r.when = b.expression(e.When, b.examples(r.topics, nil, lint.ForCondition))
	if e.Where != nil {
		own := b.expression(*e.Where, b.examples(r.topics, r.when.Test, lint.ForCondition))
		r.where = &own
	}
	b.severity(e, r)
	for _, k := range e.Key {
		r.key = append(r.key, b.expression(k, b.examples(r.topics, r.when.Test, lint.ForKey)))
		r.keyNames = append(r.keyNames, keyName(k.Value))
	}
	for _, g := range e.GroupBy {
		r.group = append(r.group, b.expression(g, b.examples(r.topics, r.when.Test, lint.ForKey)))
	}
	texts := b.examples(r.topics, r.when.Test, lint.ForText)
	r.title = b.template(e.Title, texts)
	r.text = b.template(e.Text, texts)
	for _, f := range e.Fields {
		r.fields = append(r.fields, b.field(f, texts))
	}
	b.channels(e, r)
	b.clear(e, r)
	b.set.rules, b.set.byName[r.name] = append(b.set.rules, r), r
	for _, topic := range r.topics {
		t := &topicRule{rule: r, where: cmp.Or(r.where, defaultWhere[string(topic)])}
		b.set.byTopic[string(topic)] = append(b.set.byTopic[string(topic)], t)
		b.unreachable(e, r, t.where, topic)
	}
}

// severity compiles a severity: a word, or a conditional with a word in every branch.
func (b *builder) severity(e *rulesfile.Entry, r *rule) {
	constant := func(s alert.Severity) {
		r.severity = func(*expr.Scope) alert.Severity { return s }
		r.severities = []alert.Severity{s}
	}
	if e.Severity == nil {
		constant(alert.Warning)
		return
	}
	word := alert.Severity(strings.TrimSpace(e.Severity.Value))
	if word.Rank() > 0 {
		constant(word)
		return
	}
	constant(alert.Warning)
	if s := suggest.Closest(string(word), rulesfile.SeverityNames()); s != "" {
		b.fault(e.Severity.Pos, "%q is not a severity: did you mean %s?", word, s)
		return
	}
	node, err := tree.Parse(e.Severity.Value)
	if err != nil {
		b.expression(*e.Severity, b.examples(r.topics, r.when.Test, lint.ForValue)) // reports it
		return
	}
	branches, ok := branches(node)
	if !ok {
		b.fault(e.Severity.Pos, `write info, warning or critical, or a conditional that returns them: event.x > 5 ? "critical" : "warning"`)
		return
	}
	slices.SortFunc(branches, func(a, b alert.Severity) int { return a.Rank() - b.Rank() })
	branches = slices.Compact(branches)
	severity := b.expression(*e.Severity, b.examples(r.topics, r.when.Test, lint.ForValue))
	r.severities, r.choice = branches, severity
	r.severity = func(sc *expr.Scope) alert.Severity { return alert.Severity(severity.Eval(sc).Text()) }
}

func branches(n ast.Node) ([]alert.Severity, bool) {
	switch n := n.(type) {
	case *ast.ConditionalNode:
		a, aok := branches(n.Exp1)
		b, bok := branches(n.Exp2)
		return append(a, b...), aok && bok
	case *ast.StringNode:
		s := alert.Severity(n.Value)
		return []alert.Severity{s}, s.Rank() > 0
	}
	return nil, false
}

func (b *builder) field(f rulesfile.Field, ex *examples) field {
	if strings.Contains(f.Value.Value, "{{") {
		return field{label: f.Label, value: b.template(f.Value, ex)}
	}
	e := b.expression(f.Value, ex)
	if f.Label == "" {
		f.Label = label(f.Value.Value)
	}
	return field{label: f.Label, value: expr.Hole(e)}
}

// label derives a label from the last name of a path: "strategy" for event.strategy_id.
func label(source string) string {
	name := source[strings.LastIndexByte(source, '.')+1:]
	name = strings.TrimSuffix(strings.Trim(name, " )]\"'"), "_id")
	return strings.ReplaceAll(name, "_", " ")
}

// checker returns a checker of expressions on examples.
func (b *builder) checker(ex *examples) *lint.Checker {
	return &lint.Checker{Vars: b.doc.Vars.Value, Zone: b.doc.Timezone.Location, Examples: &ex.Examples}
}

// compiler returns a compiler that checks what it compiles with examples.
func (b *builder) compiler(ex *examples) *expr.Compiler {
	return &expr.Compiler{Vars: b.doc.Vars.Value, Zone: b.doc.Timezone.Location, NextSlot: b.nextSlot, Check: b.checker(ex).Check}
}

func (b *builder) expression(s yamldoc.Scalar, ex *examples) expr.Expression {
	if s.Pos.Line == 0 { // reported by the decoder
		return expr.Expression{}
	}
	c := b.compiler(ex)
	e := c.Compile(s.Value)
	b.collect(c, s, ex)
	return e
}

func (b *builder) template(s yamldoc.Scalar, ex *examples) expr.Text {
	c := b.compiler(ex)
	t := c.Text(s.Value)
	b.collect(c, s, ex)
	return t
}

// collect adds the compiler's problems, with their places in the file, and its paths.
func (b *builder) collect(c *expr.Compiler, s yamldoc.Scalar, ex *examples) {
	place := func(at int) yamldoc.Pos {
		pos := s.Pos
		if !strings.Contains(s.Value, "\n") {
			pos.Column += at
		}
		return pos
	}
	for _, p := range c.Problems {
		if p.Once && b.reported[p.Message] {
			continue
		}
		b.reported[p.Message] = true
		if p.OfTypes && ex.strict {
			p.Warning = false
		} else if p.Subject != "" && ex.builtIn && !ex.Described {
			b.stranger(ex.Topics, p, place(p.At))
			continue
		}
		if ex.builtIn && (p.Warning || p.OfTypes) {
			p.Message = builtIn.Replace(p.Message)
		}
		kind := yamldoc.Expression
		switch {
		case p.Subject != "":
			kind = yamldoc.NotInSamples
		case p.Warning:
			kind = yamldoc.DoubtfulExpression
		}
		b.faults = append(b.faults, yamldoc.NewFault(place(p.At), p.Warning, p.Message).Of(kind))
	}
	for _, name := range c.UsedVars {
		b.usedVars[name] = true
	}
	for _, topic := range ex.Topics {
		b.paths[topic] = append(b.paths[topic], c.Paths...)
	}
}
