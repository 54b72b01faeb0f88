package lag

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/health"
)

// soonest is what is left when it is always an error.
const soonest = 6 * time.Hour

// urgency is how soon records are deleted: below a quarter of what the topic
// keeps them a warning, below a tenth of it, or six hours, an error. Zero
// (info) is neither.
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

// atRisk sets or clears the condition that records of a topic are deleted soon.
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
		Message: fmt.Sprintf("records wait in %s that the brokers may delete from %s on: %s", b.Name, b.KeptUntil.Local().Format(time.RFC3339), m.remedy(b)),
	})
}

// showAfter is how old the oldest of a working channel must be to be spoken of.
const showAfter = time.Minute

// Sentence says what waits, for people: "500,000 wait, the oldest for 2 d 3 h,
// kept until 26 Dec 09:31". It is empty where nothing waits, and for a channel
// that works where it has not waited for a minute.
func (b *Backlog) Sentence(now time.Time, works bool, duration func(time.Duration) string) string {
	age := now.Sub(b.Oldest)
	if b.Waiting == 0 || works && age < showAfter {
		return ""
	}
	verb := "wait"
	if b.Waiting == 1 {
		verb = "waits"
	}
	text := fmt.Sprintf("%s %s, the oldest for %s", humanize.Comma(b.Waiting), verb, duration(max(age, 0)))
	switch left, deletes := b.Left(now); {
	case !deletes:
	case left <= 0:
		text += ", may be deleted at any time"
	default:
		text += ", kept until " + b.KeptUntil.Local().Format("2 Jan 15:04")
	}
	return text
}

// remedy is what a person can do about what waits.
func (m *Monitor) remedy(b *Backlog) string {
	longer := ""
	if b.Retention > 0 {
		longer = fmt.Sprintf("keep it for longer: kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config retention.ms=%d",
			strings.Join(m.p.Brokers, ","), b.Name, 2*b.Retention.Milliseconds())
	}
	if b.Channel == "" {
		return strings.TrimSpace("see /readyz for what holds up the group; " + longer)
	}
	text := fmt.Sprintf("fix the channel, or send what waits elsewhere: notifier channels move %s CHANNEL", b.Channel)
	if longer != "" {
		text += "; or " + longer
	}
	return text
}
