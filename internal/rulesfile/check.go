package rulesfile

import (
	"regexp"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/topics"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// CheckYAML implements yamldoc.Checker.
func (d *Document) CheckYAML(at yamldoc.Cursor) {
	d.At = at
	if d.Version == 0 {
		at.Field("version").Fault("is missing: write version: 1")
	}
	for name := range d.Defaults {
		if _, err := topics.Parse(name); err != nil {
			at.Field("defaults").Field(name).Fault("%v", err)
		}
	}
}

var ruleName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// CheckYAML implements yamldoc.Checker.
func (e *Entry) CheckYAML(at yamldoc.Cursor) {
	e.At = at
	if !at.IsMapping() && !at.IsNull() {
		return // reported by the decoder
	}
	switch {
	case e.Name == "":
		at.Field("name").Fault("is missing")
	case e.Name == alert.Notifier:
		at.Field("name").Fault("%s is the name of the notifier's own alerts: choose another one", alert.Notifier)
	case !ruleName.MatchString(e.Name) || len(e.Name) > 64:
		at.Field("name").Fault("%q is not a valid rule name: use lower-case letters, digits and single hyphens, at most 64 characters", e.Name)
	}
	for _, key := range []string{"when", "title", "to"} {
		if !at.Has(key) {
			at.Field(key).Fault("is missing")
		}
	}
	checkDuration(at, "throttle", e.Throttle)
	checkDuration(at, "expire", e.Expire)
	e.checkClear(at)
	if at.Has("group_by") && len(e.GroupBy) == 0 {
		at.Field("group_by").Fault("is empty: name what the alerts of one digest have in common, or leave the key out")
	}
	if e.Runbook != "" && alert.Link(e.Runbook) == "" {
		at.Field("runbook").Fault("is not a web address: use https:// and no spaces, <, > or |")
	}
}
