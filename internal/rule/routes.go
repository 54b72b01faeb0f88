package rule

import (
	"slices"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/suggest"
)

// routes checks that every route leads to channels.
func (b *builder) routes() {
	for name, r := range b.doc.Routes {
		if slices.Contains(b.with.Channels, name) {
			b.fault(r.at.Pos(), "%s is the name of a channel too: rename the route", name)
		}
		for _, references := range r.severities {
			for _, ref := range references {
				b.known(ref, b.with.Channels)
			}
		}
	}
}

// known reports a name that is none of these; nil means that they are not
// known themselves.
func (b *builder) known(ref reference, names []string) bool {
	if b.with.Channels == nil || slices.Contains(names, ref.name) {
		return true
	}
	if s := suggest.Closest(ref.name, names); s != "" {
		b.fault(ref.at.Pos(), "there is no channel or route %q: did you mean %s?", ref.name, s)
		return false
	}
	b.fault(ref.at.Pos(), "there is no channel or route %q", ref.name)
	return false
}

// channels resolves a rule's destinations, for each severity it can yield. A
// channel that is reached twice gets one delivery.
func (b *builder) channels(e *entry, r *rule) {
	r.channels = make(map[alert.Severity][]string)
	names := slices.Clone(b.with.Channels)
	for name := range b.doc.Routes {
		names = append(names, name)
	}
	add := func(severity alert.Severity, channel string) {
		if !slices.Contains(r.channels[severity], channel) {
			r.channels[severity] = append(r.channels[severity], channel)
		}
	}
	for _, to := range e.To {
		route, isRoute := b.doc.Routes[to.name]
		if !isRoute && !b.known(to, names) {
			continue
		}
		for _, severity := range r.yields {
			if !isRoute {
				add(severity, to.name)
				continue
			}
			heard := route.severities[severity]
			if len(heard) == 0 {
				b.fault(to.at.Pos(), "route %s has no channel for %s, which this rule can yield", to.name, severity)
			}
			for _, ref := range heard {
				add(severity, ref.name)
			}
		}
	}
	if len(e.To) == 0 && e.at.Has("to") {
		b.fault(e.at.Field("to").Pos(), "names no channel")
	}
}
