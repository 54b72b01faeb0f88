package rulesfile

import (
	"slices"
	"time"

	"github.com/algotrade/notifier/internal/duration"
	"github.com/algotrade/notifier/internal/expr/tree"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// longest is the longest throttle and expire: outboxes keep alerts for this time.
const longest = 30 * 24 * time.Hour

// checkDuration checks the bounds of a throttle or expire that the decoder has read.
func checkDuration(at yamldoc.Cursor, name string, d time.Duration) {
	field := at.Field(name)
	if !at.Has(name) || !field.IsScalar() {
		return
	}
	text, _ := field.Scalar()
	if _, err := duration.Parse(text); err != nil {
		return // reported by the decoder, or empty
	}
	switch {
	case d < 0:
		field.Fault("%s is negative", text)
	case d == 0:
		field.Fault("%s is no time: remove %s for none", text, name)
	case d > longest:
		field.Fault("%s is longer than 30d, the most that alerts are kept for", text)
	}
}

// shortestRemind is the shortest remind: more often is a nuisance.
const shortestRemind = time.Minute

// checkClear checks what belongs to clear.
func (e *Entry) checkClear(at yamldoc.Cursor) {
	checkDuration(at, "remind", e.Remind)
	switch {
	case !at.Has("remind"):
	case !at.Has("clear"):
		at.Field("remind").Fault("needs clear, which says when reminders end: write throttle for at most one message in this time")
	case e.Remind > 0 && e.Remind < shortestRemind:
		at.Field("remind").Fault("is shorter than 1m")
	}
	if !at.Has("clear") {
		return
	}
	if len(e.Key) == 0 {
		at.Field("clear").Warn("without key all alerts of the rule are one: name what clears, such as key: [event.account_id]")
	}
	for i, g := range e.GroupBy {
		if !slices.ContainsFunc(e.Key, func(k yamldoc.Scalar) bool { return tree.OneLine(k.Value) == tree.OneLine(g.Value) }) {
			at.Field("group_by").Fault("part %d is not a part of key: a rule with clear tells an alert and its end in one group", i+1)
		}
	}
}
