package event

import (
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/topics"
)

// Violation says where and how a document violates the schema of its topic. It has no
// values of the document, and of its names only those that the schema has.
type Violation struct {
	Path    string // such as positions[].qty; empty: the document
	Keyword string // of the schema, such as type
	Detail  string // such as "a number instead of a string"; empty: none
}

// String returns the violation as "qty violates type: a number instead of a string".
func (v *Violation) String() string {
	text := "the document"
	if v.Path != "" {
		text = v.Path
	}
	text += " violates " + v.Keyword
	if v.Detail != "" {
		text += ": " + v.Detail
	}
	return text
}

// JSONSchema checks documents. It is safe for concurrent use.
type JSONSchema interface {
	// Check returns the first violation, or nil.
	Check(doc Value) *Violation
	// Reads returns the top-level members that Check reads; all: any member.
	Reads() (names []string, all bool)
	// Members returns what Check requires, if these are single top-level members.
	Members() (checks []MemberCheck, ok bool)
}

// MemberCheck reports whether a top-level member may have a value, which is Missing if
// the document lacks it. Of an array or an object only the kind is known; false may mean
// that this does not suffice.
type MemberCheck struct {
	Name    string
	Accepts func(Value) bool
}

// Check is how the events of a topic are checked. The zero Check accepts all.
type Check struct {
	Schema JSONSchema // nil: none
	Reject bool       // Decode refuses events that violate the schema
}

// violations counts and logs the violations of schemas.
type violations struct {
	count *prometheus.CounterVec
	log   *slog.Logger // nil: none
}

func newViolations(reg prometheus.Registerer) violations {
	v := violations{count: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "notifier_schema_violations_total", Help: "Events that violate the schema of their topic.",
	}, []string{"topic"})}
	for _, name := range topics.All() {
		v.count.WithLabelValues(string(name))
	}
	if reg != nil {
		reg.MustRegister(v.count)
	}
	return v
}

// check checks a decoded event.
func (d *Decoder) check(e *Event, c *Check) error {
	if c.Schema == nil {
		return nil
	}
	found := c.Schema.Check(e.Doc)
	if found == nil {
		return nil
	}
	rec := &e.Record
	d.violations.count.WithLabelValues(rec.Topic).Inc()
	if c.Reject {
		return outcome.Errorf(outcome.Schema, "%s", cut(found.String()))
	}
	e.Violation = found
	if d.violations.log != nil {
		d.violations.log.Warn("event violates the schema of its topic", "topic", rec.Topic, "path", cut(found.Path), "keyword", found.Keyword,
			"detail", found.Detail, "source", fmt.Sprintf("%s/%d@%d", rec.Topic, rec.Partition, rec.Offset))
	}
	return nil
}

// cut bounds a text that has names of a schema.
func cut(s string) string {
	const longest = 200
	if runes := []rune(s); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return s
}
