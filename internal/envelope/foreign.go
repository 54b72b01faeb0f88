package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/topics"
)

// What comes from a topic of ours was written by anybody who may write to it.
// The format alone makes it no record of ours: what it names must be among what
// we have. Everything behind Parse may rely on that: topics are derived from
// the source's name, ids become keys, headers and file names, and severities
// choose colours and labels.

// check says why a record that is in the format is none of ours all the same;
// nil: it is ours, as far as one can see without its alert.
func (e *Envelope) check() error {
	s := &e.Source
	switch {
	case !slices.Contains(topics.All(), topics.Name(s.Topic)):
		return fmt.Errorf("%.64q is no source topic", s.Topic)
	case s.Partition < 0 || s.Offset < 0:
		return fmt.Errorf("the source %d@%d is no place in a topic", s.Partition, s.Offset)
	case e.Delivery != "" && !IsID(e.Delivery):
		return fmt.Errorf("%.64q is no id of a delivery", e.Delivery)
	case e.Channel != "" && !IsID(e.Channel):
		return fmt.Errorf("%.64q is no name of a channel", e.Channel)
	case e.Replay != nil && (!IsID(e.Replay.Entry) || e.Replay.Version < 0 || e.Replay.Number < 1):
		return fmt.Errorf("replay %d of version %d of %.64q is none", e.Replay.Number, e.Replay.Version, e.Replay.Entry)
	}
	return nil
}

// checkAlert is the same of its alert. That its rule is configured is not
// required: it may have been removed while the alert waited.
func (e *Envelope) checkAlert() error {
	a := e.Alert
	switch {
	case e.Delivery == "":
		return errors.New("an alert without the id of its delivery")
	case a.ID != "" && !IsID(a.ID):
		return fmt.Errorf("%.64q is no id of an alert", a.ID)
	case a.Severity.Rank() == 0:
		return fmt.Errorf("%.64q is no severity", a.Severity)
	case !IsID(a.Rule):
		return fmt.Errorf("%.64q is no name of a rule", a.Rule)
	case a.Topic != "" && a.Topic != e.Source.Topic:
		return fmt.Errorf("an alert of %.64q on a record of %s", a.Topic, e.Source.Topic)
	}
	return nil
}

// maxID is the longest id or name, in bytes: ours have 29, rules' names 64.
const maxID = 64

// IsID reports whether s can be an id or a name of ours: ASCII letters, digits,
// '_' and '-', at least one and at most maxID.
func IsID(s string) bool {
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	}
	return s != "" && len(s) <= maxID && strings.IndexFunc(s, other) < 0
}

// maxPerson is the longest name of a person, in bytes.
const maxPerson = 64

// Person returns who asked for something as it can be shown: one line of at most
// 64 bytes, with a space for what would otherwise be obeyed or hidden.
func Person(name string) string {
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name[:min(len(name), 4*maxPerson)], "")))
	if len(name) <= maxPerson {
		return name
	}
	cut := maxPerson - len("…")
	for !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut] + "…"
}
