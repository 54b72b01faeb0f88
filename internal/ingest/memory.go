package ingest

import "github.com/algotrade/notifier/internal/rule"

// Memory is what one assignment of a source partition knows of the episodes of rules
// with clear: which alert keys are resolved. It begins empty, so that after a restart the
// first event with clear of each key raises a resolved alert again, which dispatch drops
// where nothing is open. A nil Memory knows nothing.
type Memory struct {
	program  *Program // that raised the alerts
	resolved *rule.Resolved
}

// of returns what is known of the alerts of a program; other rules have other keys.
func (m *Memory) of(p *Program) *rule.Resolved {
	if m == nil {
		return nil
	}
	if m.program != p {
		m.program, m.resolved = p, rule.NewResolved()
	}
	return m.resolved
}
