package rule

import (
	"slices"

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
func (b *builder) checkName(ref reference, names []string) bool {
	if b.env.Channels == nil || slices.Contains(names, ref.name) {
		return true
	}
	if s := suggest.Closest(ref.name, names); s != "" {
		b.fault(ref.at.Pos(), "unknown channel or route %q: did you mean %s?", ref.name, s)
		return false
	}
	b.fault(ref.at.Pos(), "unknown channel or route %q", ref.name)
	return false
}

// channels resolves a rule's destinations for each severity. A channel that
// several routes name gets one delivery.
func (b *builder) channels(e *entry, r *rule) {
	r.channels = make(map[alert.Severity][]string)
	names := slices.Clone(b.env.Channels)
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
		if !isRoute && !b.checkName(to, names) {
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
