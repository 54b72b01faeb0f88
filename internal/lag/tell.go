package lag

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// sayEvery is how often a standing fault is said again.
const sayEvery = time.Hour

// soonest is what is left when it is always an error.
const soonest = 6 * time.Hour

// alarm is what was said last about one thing.
type alarm struct {
	level slog.Level
	since time.Time // when it began
	said  time.Time // zero: nothing yet
}

// due reports whether it is time to say it, and takes note of that.
func (a *alarm) due(level slog.Level, now time.Time) bool {
	if level <= a.level && now.Sub(a.said) < sayEvery {
		return false
	}
	a.level, a.said = level, now
	return true
}

// tell says in the log which records are deleted soon, and which channels
// others wait for.
func (m *Monitor) tell(now time.Time) {
	for _, t := range m.p.Topics {
		b := m.Backlog(t.Name)
		if b.Looked {
			m.tellLoss(&b, now)
		}
		if t.Channel != "" {
			m.tellWait(&b, now)
		}
	}
}

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

func (m *Monitor) tellLoss(b *Backlog, now time.Time) {
	a := m.alarmed[b.Name]
	left, deletes := b.Left(now)
	level := slog.LevelInfo
	if deletes {
		level = urgency(left, b.Retention)
	}
	if level == slog.LevelInfo {
		if a != nil {
			delete(m.alarmed, b.Name)
			m.log.Info("what waits is kept for long enough again", "topic", b.Name, "waiting", b.Waiting)
		}
		return
	}
	if a == nil {
		a = &alarm{since: now}
		m.alarmed[b.Name] = a
	}
	if !a.due(level, now) {
		return
	}
	attrs := []any{
		"topic", b.Name, "group", b.Group, "waiting", b.Waiting, "oldest", now.Sub(b.Oldest).Round(time.Second),
		"kept_until", b.KeptUntil.Local().Format(time.RFC3339), "left", left.Round(time.Second), "do", m.remedy(b),
	}
	if b.Channel != "" {
		attrs = append([]any{"channel", b.Channel}, attrs...)
	}
	m.log.Log(context.Background(), level, "records wait and are soon deleted", attrs...)
}

// tellWait says, once an hour, what waits for a channel that does not work:
// that it stopped working was said when it did.
func (m *Monitor) tellWait(b *Backlog, now time.Time) {
	state, reason := m.p.State(b.Channel)
	a := m.waits[b.Channel]
	if state == "closed" || state == "" {
		delete(m.waits, b.Channel)
		return
	}
	if a == nil {
		m.waits[b.Channel] = &alarm{level: slog.LevelWarn, since: now, said: now}
		return
	}
	if b.Waiting == 0 || !a.due(slog.LevelWarn, now) {
		return
	}
	attrs := []any{"channel", b.Channel, "state", state, "reason", reason, "waiting", b.Waiting, "oldest", now.Sub(b.Oldest).Round(time.Second)}
	if !b.KeptUntil.IsZero() {
		attrs = append(attrs, "kept_until", b.KeptUntil.Local().Format(time.RFC3339))
	}
	m.log.Warn("alerts wait for a channel that does not work", append(attrs, "do", m.remedy(b))...)
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
	text := fmt.Sprintf("mend the channel, or send what waits elsewhere: notifier channels move %s CHANNEL", b.Channel)
	if longer != "" {
		text += "; or " + longer
	}
	return text
}
