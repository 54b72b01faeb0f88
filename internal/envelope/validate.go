package envelope

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/topics"
)

// validate checks the topic, ids and names of a record without its alert. Every
// client with write access can forge records, and later code derives topics, keys
// and file names from them.
func (e *Envelope) validate() error {
	s := &e.Source
	switch {
	case !e.Notice() && !slices.Contains(topics.All(), topics.Name(s.Topic)):
		return fmt.Errorf("unknown source topic %.64q", s.Topic)
	case s.Partition < 0 || s.Offset < 0:
		return fmt.Errorf("invalid source partition or offset %d@%d", s.Partition, s.Offset)
	case e.Delivery != "" && !IsID(e.Delivery):
		return fmt.Errorf("invalid delivery id %.64q", e.Delivery)
	case e.Channel != "" && !IsID(e.Channel):
		return fmt.Errorf("invalid channel name %.64q", e.Channel)
	case e.Instead != nil && !IsID(e.Instead.Channel):
		return fmt.Errorf("invalid channel name %.64q", e.Instead.Channel)
	case e.Replay != nil && (!IsID(e.Replay.Entry) || e.Replay.Version < 0 || e.Replay.Number < 1):
		return fmt.Errorf("invalid replay %d of version %d of entry %.64q", e.Replay.Number, e.Replay.Version, e.Replay.Entry)
	}
	return nil
}

// validateAlert does the same for the alert. Its rule may have been removed from
// the configuration.
func (e *Envelope) validateAlert() error {
	a := e.Alert
	switch {
	case e.Delivery == "":
		return errors.New("the alert has no delivery id")
	case a.ID != "" && !IsID(a.ID):
		return fmt.Errorf("invalid alert id %.64q", a.ID)
	case a.Severity.Rank() == 0:
		return fmt.Errorf("unknown severity %.64q", a.Severity)
	case a.State != alert.Firing && a.State != alert.Resolved:
		return fmt.Errorf("unknown state %.64q", a.State)
	case !IsID(a.Rule):
		return fmt.Errorf("invalid rule name %.64q", a.Rule)
	case e.Notice() != a.Notice() || a.Notice() && a.Rule != alert.Notifier:
		return fmt.Errorf("rule %.64q of topic %.64q, source %.64q: not a notice, and not an alert", a.Rule, a.Topic, e.Source.Topic)
	case a.Topic != "" && a.Topic != e.Source.Topic:
		return fmt.Errorf("the alert has topic %.64q, its source %s", a.Topic, e.Source.Topic)
	}
	return nil
}

// maxID limits an id or name, in bytes.
const maxID = 64

// IsID reports whether s is a valid id or name: 1 to maxID ASCII letters, digits,
// '_' and '-'.
func IsID(s string) bool {
	invalid := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
	}
	return s != "" && len(s) <= maxID && strings.IndexFunc(s, invalid) < 0
}

// maxUserName limits a user name, in bytes.
const maxUserName = 64

// UserName returns a user name as printable text: one line of at most maxUserName
// bytes, with spaces instead of control and format characters.
func UserName(name string) string { return printable(name, maxUserName) }

// printable returns a text as one line of at most limit bytes, with spaces instead of
// control and format characters.
func printable(text string, limit int) string {
	return alert.ShortenBytes(strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), 4*limit)], ""))), limit)
}
