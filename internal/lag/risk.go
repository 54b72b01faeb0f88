package lag

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/plural"
)

// soonest is the remaining time that is always an error.
const soonest = 6 * time.Hour

// urgency returns the level for the remaining time: a warning below a quarter of the
// retention, an error below a tenth or six hours, else Info.
func urgency(left, retention time.Duration) slog.Level {
	switch {
	case retention > 0 && left >= retention/4:
		return slog.LevelInfo
	case left < soonest, left < retention/10:
		return slog.LevelError
	case retention > 0, left < 4*soonest:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// AtRisk reports whether retention may soon delete the oldest waiting record.
func (b *Backlog) AtRisk(now time.Time) bool {
	left, deletes := b.Left(now)
	return deletes && urgency(left, b.Retention) >= slog.LevelWarn
}

// atRisk sets or clears the condition Retention of a topic.
func (m *Monitor) atRisk(b *Backlog, now time.Time) {
	level := slog.LevelInfo
	if left, deletes := b.Left(now); deletes {
		level = urgency(left, b.Retention)
	}
	if level == slog.LevelInfo {
		m.p.Conditions.Clear(health.Retention, b.Name)
		return
	}
	attrs := []any{"topic", b.Name, "group", b.Group, "waiting", b.Waiting, "kept_until", b.KeptUntil.Local().Format(time.RFC3339)}
	if b.Channel != "" {
		attrs = append([]any{"channel", b.Channel}, attrs...)
	}
	m.p.Conditions.Set(health.Condition{
		Type: health.Retention, Subject: b.Name, Level: level, Attrs: attrs,
		Message: fmt.Sprintf("retention may delete waiting records of %s from %s: %s", b.Name, b.KeptUntil.Local().Format(time.RFC3339), m.remedy(b)),
	})
}

// showAfter is the age from which Describe describes the backlog of a healthy channel.
const showAfter = time.Minute

// Describe describes the backlog: "500,000 wait, the oldest for 2 d 3 h, kept until 26 Dec
// 09:31 CET". It is empty without one, and for a recent one of a healthy channel.
func (b *Backlog) Describe(now time.Time, healthy bool, duration func(time.Duration) string) string {
	age := now.Sub(b.Oldest)
	if b.Waiting == 0 || healthy && age < showAfter {
		return ""
	}
	text := fmt.Sprintf("%s, the oldest for %s", plural.Verb(b.Waiting, "waits", "wait"), duration(max(age, 0)))
	switch left, deletes := b.Left(now); {
	case !deletes:
	case left <= 0:
		text += ", may be deleted at any time"
	default:
		text += ", kept until " + b.KeptUntil.Local().Format("2 Jan 15:04 MST")
	}
	return text
}

// remedy returns what an operator can do.
func (m *Monitor) remedy(b *Backlog) string {
	longer := ""
	if b.Retention > 0 {
		longer = fmt.Sprintf("increase the retention: kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config retention.ms=%d",
			strings.Join(m.p.Brokers, ","), b.Name, 2*b.Retention.Milliseconds())
	}
	if b.Channel == "" {
		return strings.TrimSpace("see /readyz for the cause; " + longer)
	}
	text := fmt.Sprintf("fix the channel, or move its alerts: notifier channels move %s CHANNEL", b.Channel)
	if longer != "" {
		text += "; or " + longer
	}
	return text
}
