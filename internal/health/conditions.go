// Package health holds the conditions that an operator should see. A condition is
// logged, raises the gauge notifier_condition and shows in /readyz until it is cleared.
// docs/troubleshooting.md describes each type.
package health

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
)

// Condition is something wrong that an operator should see.
type Condition struct {
	Type    Type
	Subject string     // a topic, topic/partition, group or channel/rule; empty if there is only one
	Message string     // cause and remedy
	Level   slog.Level // of its log line, at least the type's
	// Lease clears the condition if it is not set again for so long; 0: it lasts until
	// Clear.
	Lease time.Duration
	Attrs []any     // of its log lines
	Since time.Time // of the first Set; filled in by Set
}

// Conditions are the current conditions. Use New.
type Conditions struct {
	log   *slog.Logger
	gauge *prometheus.GaugeVec

	mu  sync.Mutex
	set map[key]*entry
}

type key struct {
	kind    Type
	subject string
}

type entry struct {
	Condition
	renewed time.Time
	expiry  *time.Timer // nil without a lease
}

// New returns an empty set of conditions. A nil reg registers no metric.
func New(log *slog.Logger, reg prometheus.Registerer) *Conditions {
	c := &Conditions{
		log: log.With("component", "health"),
		gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "notifier_condition", Help: "How many topics, partitions, groups, channels or rules have this condition now; see docs/troubleshooting.md.",
		}, []string{"type"}),
		set: make(map[key]*entry),
	}
	for t := range texts {
		c.gauge.WithLabelValues(string(t))
	}
	if reg != nil {
		reg.MustRegister(c.gauge)
	}
	return c
}

// Set sets or renews a condition. It is logged when it is new, or when its level or its
// message, apart from numbers, changes.
func (c *Conditions) Set(n Condition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	n.Level = max(n.Level, texts[n.Type].level)
	k := key{n.Type, n.Subject}
	e := c.set[k]
	if e == nil {
		e = &entry{Condition: Condition{Since: now}}
		c.set[k] = e
		c.gauge.WithLabelValues(string(n.Type)).Inc()
	}
	n.Since = e.Since
	changed := n.Level != e.Level || withoutNumbers(n.Message) != withoutNumbers(e.Message)
	e.Condition, e.renewed = n, now
	if n.Lease > 0 && e.expiry == nil {
		e.expiry = time.AfterFunc(n.Lease, func() { c.expire(k, e) })
	}
	if changed {
		c.log.Log(context.Background(), n.Level, texts[n.Type].set, append(slices.Clone(n.Attrs), "problem", n.Message)...)
	}
}

func withoutNumbers(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
}

// expire clears a condition whose lease has ended.
func (c *Conditions) expire(k key, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set[k] != e {
		return
	}
	if left := e.Lease - time.Since(e.renewed); left > 0 {
		e.expiry.Reset(left)
		return
	}
	c.clear(e)
}

// Clear clears a condition if it is set.
func (c *Conditions) Clear(t Type, subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.set[key{t, subject}]; e != nil {
		c.clear(e)
	}
}

func (c *Conditions) clear(e *entry) {
	c.remove(e)
	c.log.Info(texts[e.Type].cleared, append(slices.Clone(e.Attrs), "lasted", time.Since(e.Since).Round(time.Second))...)
}

func (c *Conditions) remove(e *entry) {
	if e.expiry != nil {
		e.expiry.Stop()
	}
	delete(c.set, key{e.Type, e.Subject})
	c.gauge.WithLabelValues(string(e.Type)).Dec()
}

// Keep clears the conditions of a type whose subjects are not kept.
func (c *Conditions) Keep(t Type, kept func(subject string) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		if e.Type == t && !kept(e.Subject) {
			c.clear(e)
		}
	}
}

// Forget removes the conditions of a subject without logging.
func (c *Conditions) Forget(subject string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		if e.Subject == subject {
			c.remove(e)
		}
	}
}

// Longest returns the condition of a type with the longest time from its first Set to
// its last, and that time.
func (c *Conditions) Longest(t Type) (longest Condition, lasted time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.sorted() {
		if d := e.renewed.Sub(e.Since); e.Type == t && d > lasted {
			longest, lasted = e.Condition, d
		}
	}
	return longest, lasted
}

// Message returns the message of a condition; empty: not set.
func (c *Conditions) Message(t Type, subject string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.set[key{t, subject}]; e != nil {
		return e.Message
	}
	return ""
}

// Text returns the messages of the conditions of these types; empty: none.
func (c *Conditions) Text(types ...Type) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, e := range c.sorted() {
		if slices.Contains(types, e.Type) {
			text := e.Message
			if e.Subject != "" && !strings.Contains(text, e.Subject) {
				text = e.Subject + ": " + text
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, "; ")
}

// sorted returns the conditions, oldest first; c.mu is held.
func (c *Conditions) sorted() []*entry {
	return slices.SortedFunc(maps.Values(c.set), func(x, y *entry) int {
		if d := x.Since.Compare(y.Since); d != 0 {
			return d
		}
		return strings.Compare(x.Subject+string(x.Type), y.Subject+string(y.Type))
	})
}
