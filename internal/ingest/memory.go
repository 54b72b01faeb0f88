package ingest

import "github.com/algotrade/notifier/internal/rule"

// Memory is what one assignment of a source partition knows of the episodes of rules
// with clear: which alert keys are resolved. It begins empty, so that after a restart the
// first event with clear of each key raises a resolved alert again, which dispatch drops
// where nothing is open. Rules that are replaced keep it. A nil Memory knows nothing.
type Memory struct{ resolved *rule.Resolved }

func (m *Memory) known() *rule.Resolved {
	if m == nil {
		return nil
	}
	if m.resolved == nil {
		m.resolved = rule.NewResolved()
	}
	return m.resolved
}
