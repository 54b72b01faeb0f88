package rule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/expr"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// builtIn names the built-in samples in a warning: the producers' events may differ.
var builtIn = strings.NewReplacer(
	"the samples", "the built-in samples", "the sample ", "the built-in sample ", "no sample", "no built-in sample",
	"every sample", "every built-in sample", "any sample", "any built-in sample",
)

// strangers are the fields and event types that rules of the same topics use and no
// built-in sample has. They are typing mistakes, or a producer's own.
type strangers struct {
	topics string
	first  yamldoc.Pos
	likely []string // with the probable correction
	others []string
	types  int // event types among them
}

// stranger notes a field or an event type that no built-in sample of the topics has.
func (b *builder) stranger(sources []topics.Name, p expr.Problem, at yamldoc.Pos) {
	names := topics.Join(sources, ", ")
	i := slices.IndexFunc(b.strangers, func(s *strangers) bool { return s.topics == names })
	if i < 0 {
		i = len(b.strangers)
		b.strangers = append(b.strangers, &strangers{topics: names, first: at})
	}
	s, name, list := b.strangers[i], p.Subject, &b.strangers[i].others
	if p.Near != "" {
		name, list = name+" (did you mean "+p.Near+"?)", &s.likely
	}
	if slices.Contains(*list, name) {
		return
	}
	*list = append(*list, name)
	if p.Subject[0] == '"' {
		s.types++
	}
}

// namedStrangers is the number of fields and event types that a warning names.
const namedStrangers = 4

// strange reports the strangers of the same topics once, at the first.
func (b *builder) strange() {
	for _, s := range b.strangers {
		names := slices.Concat(s.likely, s.others)
		var counts []string
		if fields := len(names) - s.types; fields > 0 {
			counts = append(counts, plural.Count(fields, "field"))
		}
		if s.types > 0 {
			counts = append(counts, plural.Count(s.types, "event type"))
		}
		listed := strings.Join(names[:min(len(names), namedStrangers)], ", ")
		if more := len(names) - namedStrangers; more > 0 {
			listed += fmt.Sprintf(" and %d more", more)
		}
		topic, _, _ := strings.Cut(s.topics, ", ")
		b.warn(s.first,
			"%s of the rules %s in no built-in sample of %s: %s; if your producers send other events, name samples of them in notifier.yaml: samples: { %s: [samples/] }",
			strings.Join(counts, " and "), plural.VerbOf(len(names), "is", "are"), s.topics, listed, topic)
		b.of(yamldoc.NotInSamples)
	}
}
