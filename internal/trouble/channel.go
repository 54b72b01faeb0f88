package trouble

import (
	"cmp"
	"fmt"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/plural"
)

// Kind is what is wrong with a channel.
type Kind string

// The kinds of trouble.
const (
	Suspended Kind = "suspended" // its provider refuses it: an operator must act
	Behind    Kind = "behind"    // its oldest message has waited for After
	Retention Kind = "retention" // its oldest alert will soon be deleted
)

var kinds = []Kind{Suspended, Behind, Retention}

const (
	// After is the age of the oldest message from which a channel is behind.
	After = 5 * time.Minute
	// caughtUp is the age below which it no longer is.
	caughtUp = time.Minute
	// lasting is how long a channel is suspended before that is told: it may be for a
	// single message, and what waited is sent after it.
	lasting = 10 * time.Second
	// settled is how long a new owner of an outbox waits before it takes trouble for ended:
	// it has to read what waits first.
	settled = time.Minute
)

// Channel is what is known of a channel.
type Channel struct {
	Name      string
	Owned     bool      // this process speaks for it
	Suspended string    // why; empty: it is not
	Since     time.Time // when it was suspended
	Reason    string    // why it does not send, whether suspended or not; empty: it does
	Do        string    // what an operator can do about that; empty: not known
	Succeeded time.Time // when it sent a message last
	Waiting   int64
	Oldest    time.Time // of the messages that it could send; zero: none waits
	KeptUntil time.Time // when retention may delete the oldest alert; zero: never
	AtRisk    bool      // that is soon
	Rate      string    // how long it takes to send what waits; empty: not known
	Fallback  string    // the channel that alerts go to meanwhile; empty: none
}

// behind reports whether its oldest message has waited for long.
func (c *Channel) behind(now time.Time) bool { return !c.Oldest.IsZero() && now.Sub(c.Oldest) >= After }

// begins reports whether trouble begins.
func (c *Channel) begins(k Kind, now time.Time) bool {
	switch k {
	case Suspended:
		return c.Suspended != "" && now.Sub(c.Since) >= lasting
	case Behind:
		return c.Suspended == "" && c.behind(now)
	}
	return c.AtRisk
}

// ended reports whether trouble has ended: a suspension with a message that was sent, since a
// new owner does not know of it before it has tried.
func (c *Channel) ended(k Kind, e *episode, o *ownership, now time.Time) bool {
	if now.Sub(o.since) < settled && !(k == Suspended && c.Succeeded.After(o.since)) {
		return false
	}
	switch k {
	case Suspended:
		return c.Suspended == "" && c.Succeeded.After(e.Began)
	case Behind:
		return c.Oldest.IsZero() || now.Sub(c.Oldest) < caughtUp
	}
	return !c.AtRisk
}

func (c *Channel) cause(k Kind) string {
	if k == Suspended {
		return c.Suspended
	}
	return c.Reason
}

// title says what is wrong.
func (c *Channel) title(k Kind, now time.Time) string {
	switch k {
	case Suspended:
		return c.Name + " is suspended: " + c.Suspended
	case Behind:
		text := fmt.Sprintf("%s is behind: its oldest message has waited for %s", c.Name, channel.Duration(now.Sub(c.Oldest)))
		if c.Reason != "" {
			text += " (" + c.Reason + ")"
		}
		return text
	}
	return fmt.Sprintf("%s may lose alerts from %s on: its outbox keeps them no longer", c.Name, stamp(c.KeptUntil))
}

// remedy says what an operator can do.
func (c *Channel) remedy(k Kind) string {
	move := fmt.Sprintf("move what waits: notifier channels move %s CHANNEL", c.Name)
	if k == Behind && c.Do == "" {
		if c.Reason == "" {
			return "it sends slower than alerts come: wait, have fewer alerts sent to it, or " + move
		}
		return "wait, or " + move
	}
	return cmp.Or(c.Do, "fix the channel") + "; or " + move
}

// began is the notice that trouble has begun.
func (w *Watcher) began(c *Channel, k Kind, e *episode, now time.Time) alert.Alert {
	severity := alert.Critical
	if k == Behind {
		severity = alert.Warning
	}
	var lines []string
	if n := c.Waiting; n > 0 {
		line := plural.Verb(n, "alert waits", "alerts wait")
		if !c.Oldest.IsZero() {
			line += ", the oldest since " + stamp(c.Oldest)
		}
		if c.Rate != "" {
			line += ", " + c.Rate
		}
		lines = append(lines, line+".")
	}
	if c.Fallback != "" {
		lines = append(lines, "Alerts go to "+c.Fallback+" meanwhile.")
	}
	lines = append(lines, "What to do: "+c.remedy(k)+".")
	return alert.Alert{
		ID: w.id(c, k, e, "began"), Severity: severity, Key: []string{c.Name, string(k)},
		Title: value(c.title(k, now)), Text: text(lines), EventTime: now,
	}
}

// ended is the notice that trouble has ended.
func (w *Watcher) ended(c *Channel, k Kind, e *episode, now time.Time) alert.Alert {
	lasted := channel.Duration(now.Sub(e.Began))
	title := map[Kind]string{
		Suspended: c.Name + " was suspended for " + lasted,
		Behind:    c.Name + " was behind for " + lasted,
		Retention: c.Name + " no longer risks to lose alerts, after " + lasted,
	}[k]
	if e.Cause != "" {
		title += ": " + e.Cause
	}
	var lines []string
	if e.Waiting > 0 {
		line := plural.Verb(e.Waiting, "alert", "alerts") + " waited"
		if !e.Oldest.IsZero() {
			line += ", the oldest since " + stamp(e.Oldest)
		}
		lines = append(lines, line+".")
	}
	return alert.Alert{
		ID: w.id(c, k, e, "ended"), Severity: alert.Info, State: alert.Resolved, Key: []string{c.Name, string(k)},
		Title: value(title), Text: text(lines), EventTime: now,
	}
}

func value(s string) alert.Text { return alert.Text{{Text: s, Value: true}} }

// text is lines, each of which is a value.
func text(lines []string) (t alert.Text) {
	for i, line := range lines {
		if i > 0 {
			t = append(t, alert.Part{Text: "\n"})
		}
		t = append(t, alert.Part{Text: line, Value: true})
	}
	return t
}

func stamp(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// TroubleSince is when the channel was suspended, or when it was behind first; zero: it is
// neither.
func (c *Channel) TroubleSince(now time.Time) time.Time {
	switch {
	case c.Suspended != "":
		return c.Since
	case c.behind(now):
		return c.Oldest.Add(After)
	}
	return time.Time{}
}

// Remedy says what an operator can do about a channel in trouble; empty: nothing is wrong.
func (c *Channel) Remedy(now time.Time) string {
	for _, k := range kinds {
		if k == Suspended && c.Suspended != "" || k == Behind && c.behind(now) || k == Retention && c.AtRisk {
			return c.remedy(k)
		}
	}
	return ""
}
