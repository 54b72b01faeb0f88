package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/backtest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/suggest"
)

// Channel is how a channel sends in a test, whatever the configuration says of it.
type Channel struct {
	// Pace is the rate limit.
	Pace dispatch.Pace `yaml:"pace"`
	// Digest is when alerts become one message.
	Digest digest.Setting `yaml:"digest"`
	// Edits says that the channel replaces its last digest of a group by the next.
	Edits bool `yaml:"edits"`
}

// settings returns the channel as the configuration has it.
func (c *Channel) settings() backtest.Channel {
	s := backtest.Channel{Edits: c.Edits, Config: dispatch.Config{
		Concurrency: 1, Timeout: 10 * time.Second, Retry: dispatch.DefaultRetry(), Breaker: dispatch.DefaultBreaker(), Ambiguous: dispatch.Resend,
		Pace: c.Pace, Digest: c.Digest, Partitions: 1,
	}}
	if s.Config.SingleOwner() {
		s.Config.Partitions = len(alert.Severities())
	}
	return s
}

// settling is how long the clock runs behind the last event of a test without within: as
// long as the longest window by default, twice.
const settling = 10 * time.Minute

// sent is what channels send for the alerts of a test.
type sent struct {
	start     time.Time
	channels  map[string]backtest.Channel
	messages  map[string][]backtest.Message
	decisions []*deliverylog.Record
}

// send has the channels tell the alerts of some events.
func (e *Env) send(t *Test, start time.Time, events []happening, outcomes []outcome) *sent {
	s := &sent{start: start, channels: maps.Clone(e.Channels), messages: make(map[string][]backtest.Message)}
	if s.channels == nil {
		s.channels = make(map[string]backtest.Channel)
	}
	for name, c := range t.Channels {
		s.channels[name] = c.settings()
	}
	simulation := backtest.New(backtest.Params{
		Channels: s.channels, Rules: e.Rules,
		OnMessage:  func(m backtest.Message) { s.messages[m.Channel] = append(s.messages[m.Channel], m) },
		OnDecision: func(r *deliverylog.Record) { s.decisions = append(s.decisions, r) },
	})
	end := start
	for _, h := range events {
		source := envelope.Source{Topic: h.Record.Topic, Offset: h.Record.Offset, Time: h.now}
		for _, a := range outcomes[h.step].alerts[h.repetition] {
			simulation.Add(h.now, &a, source)
		}
		end = h.now.Add(settling)
	}
	if t.Within > 0 {
		end = start.Add(t.Within)
	}
	simulation.Finish(end)
	return s
}

// Sent is a message that a channel sends for a test.
type Sent struct {
	backtest.Message
	After time.Duration // since the clock started
	State string        // firing, resolved or reminder
}

// Sent returns the messages of the channels of which the test expects some, by channel.
func (r *Result) Sent() (list []Sent) {
	for _, name := range slices.Sorted(maps.Keys(r.Messages)) {
		if r.sent == nil {
			break
		}
		for _, m := range r.sent.messages[name] {
			list = append(list, Sent{m, m.At.Sub(r.sent.start), stateOf(&m)})
		}
	}
	return list
}

// Suppression is how often the alerts of a rule have met one decision in a channel.
type Suppression struct {
	Rule, Channel, Decision string
	Count                   int
}

// Suppressions returns the decisions about the alerts of a test that expects messages or
// suppressed alerts, except those that were delivered as messages of their own.
func (r *Result) Suppressions() (list []Suppression) {
	if r.sent == nil {
		return nil
	}
	for _, d := range r.sent.decisions {
		s := Suppression{Rule: d.Rule, Channel: d.Channel, Decision: string(d.Decision)}
		i := slices.IndexFunc(list, func(x Suppression) bool {
			return x.Rule == s.Rule && x.Channel == s.Channel && x.Decision == s.Decision
		})
		switch {
		case d.Decision == deliverylog.Delivered:
		case i < 0:
			s.Count = 1
			list = append(list, s)
		default:
			list[i].Count++
		}
	}
	return list
}

// compareMessages returns how the messages of channels differ from the expected ones.
func (s *sent) compareMessages(expected map[string]Messages) (differences []string) {
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		if _, known := s.channels[name]; !known {
			text := "messages: there is no channel " + name
			if near := suggest.Closest(name, slices.Sorted(maps.Keys(s.channels))); near != "" {
				text += "; did you mean " + near + "?"
			}
			differences = append(differences, text)
			continue
		}
		differences = append(differences, s.compareChannel(name, expected[name])...)
	}
	return differences
}

// shownMessages limits how many messages a difference shows.
const shownMessages = 20

// compareChannel returns how the messages of one channel differ.
func (s *sent) compareChannel(name string, expected Messages) (differences []string) {
	got := s.messages[name]
	if len(got) != expected.count() {
		text := fmt.Sprintf("%s: %s, expected %d", name, plural.Count(len(got), "message"), expected.count())
		for _, m := range got[:min(len(got), shownMessages)] {
			text += "\n" + s.line(&m)
		}
		if more := len(got) - shownMessages; more > 0 {
			text += fmt.Sprintf("\nand %d more", more)
		}
		differences = append(differences, text)
	}
	for i, x := range expected.list {
		if i < len(got) {
			for _, key := range messageKeys {
				if text := x.difference(key, s.value(key, &got[i])); text != "" {
					differences = append(differences, fmt.Sprintf("%s: message %d: %s", name, i+1, text))
				}
			}
		}
	}
	return differences
}

// line returns a message as one line: when, and what a person reads first.
func (s *sent) line(m *backtest.Message) string {
	words := []string{"after " + durationText(m.At.Sub(s.start)) + ":", string(m.Severity)}
	if state := stateOf(m); state != firing {
		words = append(words, state)
	}
	words = append(words, m.Title)
	if m.Members > 1 {
		words = append(words, fmt.Sprintf("(tells %d)", m.Members))
	}
	return strings.Join(words, " ")
}

// compareSuppressed returns how the numbers of suppressed alerts differ.
func (s *sent) compareSuppressed(expected []Suppressed) (differences []string) {
	for _, x := range expected {
		got := s.suppressed(&x)
		if x.Count == nil && got == 0 || x.Count != nil && got != *x.Count {
			want := "at least 1"
			if x.Count != nil {
				want = fmt.Sprint(*x.Count)
			}
			where := ""
			if x.Channel != "" {
				where = " in " + x.Channel
			}
			differences = append(differences, fmt.Sprintf("suppressed: %s is %s%s %s, expected %s", x.Rule, x.Decision, where, plural.Count(got, "time"), want))
		}
	}
	return differences
}

// suppressed returns how often an alert was suppressed.
func (s *sent) suppressed(x *Suppressed) (n int) {
	for _, r := range s.decisions {
		if r.Rule == x.Rule && string(r.Decision) == x.Decision && (x.Channel == "" || r.Channel == x.Channel) {
			n++
		}
	}
	return n
}
