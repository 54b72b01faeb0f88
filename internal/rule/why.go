package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/topics"
)

// Why says why a rule raises no alert for an event; "" if it does.
func (s *Set) Why(name string, ev *event.Event, now time.Time) string {
	var names []string
	for _, r := range s.rules {
		if r.name == name {
			return s.why(r, ev, now)
		}
		names = append(names, r.name)
	}
	if near := suggest.Closest(name, names); near != "" {
		return "there is no such rule; did you mean " + near + "?"
	}
	return "there is no such rule"
}

func (s *Set) why(r *rule, ev *event.Event, now time.Time) string {
	if !slices.Contains(r.topics, topics.Name(ev.Record.Topic)) {
		return fmt.Sprintf("it is of %s, the event of %s", topics.Join(r.topics, " and "), ev.Record.Topic)
	}
	i := slices.IndexFunc(s.byTopic[ev.Record.Topic], func(t *topicRule) bool { return t.rule == r })
	t := s.byTopic[ev.Record.Topic][i]
	e := t.explain(s.tracer(ev, now, nil))
	for _, condition := range []struct {
		name string
		*Condition
	}{{"when", &e.When}, {"where", e.Where}} {
		if condition.Condition == nil || condition.True {
			continue
		}
		var parts []string
		for _, p := range condition.Decisive() {
			parts = append(parts, p.Text+p.Reads())
		}
		return fmt.Sprintf("its %s is false: %s", condition.name, strings.Join(parts, "; "))
	}
	return ""
}
