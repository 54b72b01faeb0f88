package rule

import (
	"maps"
	"slices"

	"github.com/algotrade/notifier/internal/yamldoc"
)

// unused warns once of the variables that no expression reads. One with an anchor may be
// used where its alias stands.
func (b *builder) unused() {
	var names []string
	var first yamldoc.Pos
	for i := range b.doc.Vars.Value.Len() {
		name := b.doc.Vars.Value.At(i).Name()
		at := b.doc.At.Field("vars").Field(name)
		if b.usedVars[name] || b.usedVars[""] || at.HasAnchor() {
			continue
		}
		if len(names) == 0 {
			first = at.Pos()
		}
		names = append(names, "vars."+name)
	}
	if len(names) > 0 {
		b.warn(first, "no rule uses %s", listed(names))
		b.of(yamldoc.Unused)
	}
}

// unusedCalendars warns of the calendars that nothing uses.
func (b *builder) unusedCalendars() {
	for _, name := range slices.Sorted(maps.Keys(b.doc.Calendars)) {
		if !b.usedCalendars[name] {
			b.warn(b.doc.At.Field("calendars").Field(name).Pos(), "no route uses this calendar")
			b.of(yamldoc.Unused)
		}
	}
}
