// Package silence describes silences: which alerts an operator does not want to be told,
// until when and why. They are records of the state topic, for all channels; dispatch
// applies them. Pure.
package silence

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/state"
)

// Silence keeps the alerts from being sent that fulfil all of its conditions. It begins
// when it is made, and ends by itself.
type Silence struct {
	ID       string    `json:"id"`
	Match    []Matcher `json:"match"`
	Created  time.Time `json:"created"`
	Ends     time.Time `json:"ends"`
	By       string    `json:"by"` // who made it
	Comment  string    `json:"comment"`
	Critical bool      `json:"critical,omitempty"` // critical alerts too
	// ExpiredBy is who ended it before its time; empty: nobody.
	ExpiredBy string `json:"expired_by,omitempty"`
}

// Longest is how long a silence may last, Kept how long after its end its record is kept.
const Longest, Kept = 7 * 24 * time.Hour, 7 * 24 * time.Hour

const (
	maxMatchers = 16
	maxText     = 500 // bytes of the comment and of a condition
)

// New returns a silence with an id of its own, unless what it was given is incomplete.
func New(match []Matcher, now, ends time.Time, by, comment string, critical bool) (*Silence, error) {
	s := &Silence{
		ID: "sil_" + strings.ToLower(rand.Text())[:8], Match: match, Created: now.UTC(), Ends: ends.UTC(), By: by, Comment: strings.TrimSpace(comment), Critical: critical,
	}
	return s, s.check()
}

func (s *Silence) check() error {
	selective := false
	for _, m := range s.Match {
		selective = selective || m.selective()
		if len(m.String()) > maxText {
			return fmt.Errorf("a condition has more than %d bytes", maxText)
		}
	}
	switch {
	case len(s.Match) == 0:
		return errors.New("no condition: name what is to be silenced, such as rule=order-rejected")
	case !selective:
		return errors.New("the conditions would silence everything: name what is to be silenced, such as rule=order-rejected")
	case len(s.Match) > maxMatchers:
		return fmt.Errorf("more than %d conditions", maxMatchers)
	case s.Comment == "":
		return errors.New(`a comment is required, such as -m "venue migration"`)
	case len(s.Comment) > maxText:
		return fmt.Errorf("the comment has more than %d bytes", maxText)
	case !s.Ends.After(s.Created):
		return errors.New("the end has passed")
	case s.Ends.Sub(s.Created) > Longest:
		return errors.New("a silence lasts at most 7 days: for times that come again, give a route quiet hours")
	}
	return nil
}

// Active reports whether it has not ended.
func (s *Silence) Active(now time.Time) bool { return now.Before(s.Ends) }

// Silences reports whether it keeps an alert from being sent in a channel. The end of a
// firing is never silenced.
func (s *Silence) Silences(channel string, a *alert.Alert) bool {
	if a.State == alert.Resolved || a.Severity == alert.Critical && !s.Critical {
		return false
	}
	return s.Matches(channel, a)
}

// Matches reports whether an alert in a channel fulfils its conditions, whatever its severity.
func (s *Silence) Matches(channel string, a *alert.Alert) bool {
	for _, m := range s.Match {
		if !m.Matches(channel, a) {
			return false
		}
	}
	return true
}

// MatchText returns the conditions as they are written.
func (s *Silence) MatchText() string {
	texts := make([]string, len(s.Match))
	for i, m := range s.Match {
		texts[i] = m.String()
	}
	return strings.Join(texts, " ")
}

// MarshalText implements encoding.TextMarshaler.
func (m Matcher) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Matcher) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMatcher(string(text))
	return err
}

// Record returns the silence as a record of the state topic.
func (s *Silence) Record() state.Record {
	value, _ := json.Marshal(s) // of texts and times of four-digit years
	return state.Record{Kind: state.Silence, Channel: state.AllChannels, Key: s.ID, Value: value}
}

// Forgotten returns the record that deletes a silence.
func Forgotten(id string) state.Record {
	return state.Record{Kind: state.Silence, Channel: state.AllChannels, Key: id}
}

// Parse reads a record of the state topic. One that another version or somebody else wrote
// is an error: nothing is silenced by it.
func Parse(r state.Record) (*Silence, error) {
	s := new(Silence)
	if err := json.Unmarshal(r.Value, s); err != nil {
		return nil, fmt.Errorf("silence %.64q: %w", r.Key, err)
	}
	if s.ID != r.Key {
		return nil, fmt.Errorf("silence %.64q has the id %.64q", r.Key, s.ID)
	}
	if !s.Ends.After(s.Created) { // expired at once
		return s, nil
	}
	return s, s.check()
}
