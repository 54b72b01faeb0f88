package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/suggest"
)

// routes checks that every route leads to channels.
func (b *builder) routes() {
	for name, r := range b.doc.Routes {
		if slices.Contains(b.env.Channels, name) {
			b.fault(r.at.Pos(), "%s is also the name of a channel: rename the route", name)
		}
		for _, references := range r.severities {
			for _, ref := range references {
				b.checkName(ref, b.env.Channels)
			}
		}
	}
}

// checkName reports a reference that is not in names, unless the channels are unknown.
func (b *builder) checkName(ref reference, names []string) {
	if !b.known(ref.name, names) {
		b.fault(ref.at.Pos(), "%s", unknownName(ref.name, names, nil))
	}
}

// known reports whether name is one of names; true if the channels are unknown.
func (b *builder) known(name string, names []string) bool {
	return b.env.Channels == nil || slices.Contains(names, name)
}

// unresolved is a name that rules use and that is no channel or route.
type unresolved struct {
	first reference
	rules []string
}

// miss notes that a rule uses a name that is unknown.
func (b *builder) miss(e *entry, ref reference) {
	i := slices.IndexFunc(b.unresolved, func(u unresolved) bool { return u.first.name == ref.name })
	if i < 0 {
		i = len(b.unresolved)
		b.unresolved = append(b.unresolved, unresolved{first: ref})
	}
	u := &b.unresolved[i]
	name := e.Name
	if name == "" {
		name = e.at.Pos().Path
	}
	if !slices.Contains(u.rules, name) {
		u.rules = append(u.rules, name)
	}
}

// misses reports each unknown name of rules once, at the first rule that uses it.
func (b *builder) misses() {
	for _, u := range b.unresolved {
		b.fault(u.first.at.Pos(), "%s", unknownName(u.first.name, b.destinations(), u.rules))
	}
}

// namedRules is the number of rules that a fault names.
const namedRules = 3

// unknownName describes a name that is not in names, and which rules use it if there are several.
func unknownName(name string, names, rules []string) string {
	text := fmt.Sprintf("unknown channel or route %q", name)
	if more := len(rules) - namedRules; more > 0 {
		text += fmt.Sprintf(" (in rules %s and %d more)", strings.Join(rules[:namedRules], ", "), more)
	} else if len(rules) > 1 {
		text += fmt.Sprintf(" (in rules %s)", strings.Join(rules, ", "))
	}
	if s := suggest.Closest(name, names); s != "" {
		text += fmt.Sprintf(": did you mean %s?", s)
	}
	return text
}

// destinations returns the names of the channels and routes.
func (b *builder) destinations() []string {
	return slices.Concat(b.env.Channels, slices.Sorted(maps.Keys(b.doc.Routes)))
}

// channels resolves a rule's destinations for each severity. A channel that
// several routes name gets one delivery.
func (b *builder) channels(e *entry, r *rule) {
	r.channels = make(map[alert.Severity][]string)
	names := b.destinations()
	add := func(severity alert.Severity, channel string) {
		if !slices.Contains(r.channels[severity], channel) {
			r.channels[severity] = append(r.channels[severity], channel)
		}
	}
	for _, to := range e.To {
		route, isRoute := b.doc.Routes[to.name]
		if !isRoute && !b.known(to.name, names) {
			b.miss(e, to)
			continue
		}
		for _, severity := range r.severities {
			if !isRoute {
				add(severity, to.name)
				continue
			}
			channels := route.severities[severity]
			if len(channels) == 0 {
				b.fault(to.at.Pos(), "route %s has no channel for %s, which this rule can have", to.name, severity)
			}
			for _, ref := range channels {
				add(severity, ref.name)
			}
		}
	}
	if len(e.To) == 0 && e.at.Has("to") {
		b.fault(e.at.Field("to").Pos(), "has no channel")
	}
}
