// Package digest decides when a channel tells the alerts of a group: the first at
// once, those that follow within a window together at its end. It is pure: it has
// no clock, no lock and no goroutine. Start reading at Group.
package digest

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/algotrade/notifier/internal/alert"
)

// Group is what a channel has told of one group since it was idle last. The zero
// Group is idle.
type Group struct {
	width   time.Duration // of the window; 0: idle
	until   time.Time     // its end
	urgent  time.Time     // its end for critical alerts
	told    int           // rank of the most severe alert told
	alerts  int           // told
	first   time.Time     // the earliest event time told
	message string        // the provider's id of the last digest
}

// Told is a message about a group that a channel has sent.
type Told struct {
	Severity alert.Severity // of its most severe alert
	Alerts   int            // how many it tells
	First    time.Time      // the earliest of their event times
	Message  string         // the provider's id of a digest that later ones may replace; empty: none
}

// Idle reports whether the next alert is the first of the group: no window is open.
func (g *Group) Idle(now time.Time) bool { return !now.Before(g.until) }

// Reset makes the group idle.
func (g *Group) Reset() { *g = Group{} }

// First reports whether nothing of the group was told.
func (g *Group) First() bool { return g.width == 0 }

// Due returns when alerts may be told of which the most severe has this rank: at the
// end of the window, and at once, the zero time, if none as severe was told. A
// critical one never waits longer than CriticalWindow.
func (g *Group) Due(rank int) time.Time {
	switch {
	case rank > g.told:
		return time.Time{}
	case rank == alert.Critical.Rank() && g.urgent.Before(g.until):
		return g.urgent
	}
	return g.until
}

// Tell notes that a message was sent: a window opens. It is twice as wide after a
// digest, up to MaxWindow, and as wide as a first one after a rise in severity.
func (g *Group) Tell(c Config, now time.Time, t Told) {
	rank := t.Severity.Rank()
	switch {
	case rank > g.told && t.Severity == alert.Critical:
		g.width = c.CriticalWindow
	case rank > g.told:
		g.width = c.Window
	case t.Alerts > 1:
		g.width = min(2*g.width, c.MaxWindow)
	}
	if g.alerts == 0 || t.First.Before(g.first) {
		g.first = t.First
	}
	g.until, g.urgent = now.Add(g.width), now.Add(c.CriticalWindow)
	g.told, g.message = max(g.told, rank), t.Message
	g.alerts += t.Alerts
}

// Before returns how many alerts were told, the earliest of their event times, and
// the message that a digest with alerts up to this rank may replace; empty: none.
func (g *Group) Before(rank int) (alerts int, first time.Time, message string) {
	if rank <= g.told {
		message = g.message
	}
	return g.alerts, g.first, message
}

// Key identifies a group: the beginning of the SHA-256 of its rule and its parts,
// each after its length, since a part may hold any character.
type Key [16]byte

// KeyOf returns the key of an alert's group.
func KeyOf(a *alert.Alert) Key {
	b := appendPart(make([]byte, 0, 256), a.Rule)
	for _, part := range a.GroupParts() {
		b = appendPart(b, part)
	}
	sum := sha256.Sum256(b)
	return Key(sum[:])
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}
