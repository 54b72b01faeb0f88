package rule

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/suggest"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// routes checks that every route leads to channels.
func (b *builder) routes() {
	for _, name := range slices.Sorted(maps.Keys(b.doc.Routes)) {
		r := b.doc.Routes[name]
		if slices.Contains(b.env.Channels, name) {
			b.fault(r.At.Pos(), "%s is also the name of a channel: rename the route", name)
		}
		for _, references := range r.Severities {
			for _, ref := range references {
				b.channelOf(name, ref)
			}
		}
		b.quiet(name, &r)
	}
}

// channelOf checks that a route's reference is the name of a channel.
func (b *builder) channelOf(route string, ref rulesfile.Reference) {
	_, isRoute := b.doc.Routes[ref.Name]
	switch {
	case b.known(ref.Name, b.env.Channels):
	case isRoute:
		b.fault(ref.At.Pos(), "%s is a route: name channels here", ref.Name)
	default:
		u := b.miss(ref)
		u.routes = appendNew(u.routes, route)
	}
}

// known reports whether name is one of names; true if the channels are unknown.
func (b *builder) known(name string, names []string) bool {
	return b.env.Channels == nil || slices.Contains(names, name)
}

// unresolved is a name that is no channel or route.
type unresolved struct {
	first         rulesfile.Reference
	routes, rules []string // that use it
}

// miss returns the entry of a name that is unknown. Its first reference is the first in
// the file.
func (b *builder) miss(ref rulesfile.Reference) *unresolved {
	i := slices.IndexFunc(b.unresolved, func(u *unresolved) bool { return u.first.Name == ref.Name })
	if i < 0 {
		i = len(b.unresolved)
		b.unresolved = append(b.unresolved, &unresolved{first: ref})
	}
	u := b.unresolved[i]
	if at, first := ref.At.Pos(), u.first.At.Pos(); at.Line < first.Line || at.Line == first.Line && at.Column < first.Column {
		u.first = ref
	}
	return u
}

func appendNew(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// misses reports each unknown name once, at its first use.
func (b *builder) misses() {
	for _, u := range b.unresolved {
		text := fmt.Sprintf("unknown channel or route %q", u.first.Name)
		var users []string
		for _, use := range []struct {
			noun  string
			names []string
		}{{"route", u.routes}, {"rule", u.rules}} {
			if len(use.names) > 0 {
				users = append(users, plural.VerbOf(len(use.names), use.noun, use.noun+"s")+" "+listed(use.names))
			}
		}
		if len(u.routes)+len(u.rules) > 1 {
			text += " (in " + strings.Join(users, " and ") + ")"
		}
		names := b.env.Channels
		if len(u.routes) == 0 {
			names = b.destinations()
		}
		if s := suggest.Closest(u.first.Name, names); s != "" {
			text += fmt.Sprintf(": did you mean %s?", s)
		} else if len(names) > 0 {
			text += fmt.Sprintf(": %s %s", plural.VerbOf(len(names), "there is only", "there are"), listed(names))
		}
		b.fault(u.first.At.Pos(), "%s", text)
		b.of(yamldoc.UnknownName)
	}
}

// listed joins names, at most three of them.
func listed(names []string) string {
	const most = 3
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// destinations returns the names of the channels and routes.
func (b *builder) destinations() []string {
	return slices.Concat(b.env.Channels, slices.Sorted(maps.Keys(b.doc.Routes)))
}

// channels resolves a rule's destinations for each severity. A channel that
// several routes name gets one delivery.
func (b *builder) channels(e *rulesfile.Entry, r *rule) {
	r.channels = make(map[alert.Severity][]string)
	names := b.destinations()
	add := func(severity alert.Severity, channel string) {
		if !slices.Contains(r.channels[severity], channel) {
			r.channels[severity] = append(r.channels[severity], channel)
		}
	}
	for _, to := range e.To {
		route, isRoute := b.doc.Routes[to.Name]
		if !isRoute && !b.known(to.Name, names) {
			u := b.miss(to)
			u.rules = appendNew(u.rules, cmp.Or(e.Name, e.At.Pos().Path))
			continue
		}
		for _, severity := range r.severities {
			if !isRoute {
				add(severity, to.Name)
				continue
			}
			channels := route.Severities[severity]
			if len(channels) == 0 {
				b.fault(to.At.Pos(), "route %s has no channel for %s, which this rule can have", to.Name, severity)
			}
			for _, ref := range channels {
				add(severity, ref.Name)
			}
		}
	}
	b.quietly(e, r)
	if len(e.To) == 0 && e.At.Has("to") {
		b.fault(e.At.Field("to").Pos(), "has no channel")
	}
}
