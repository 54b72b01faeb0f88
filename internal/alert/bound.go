package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"unicode/utf8"
)

// The bounds of an alert. Everything in it that an event chose is bounded, so
// that its record always fits into an outbox and into a dead-letter topic.
const (
	// MaxID is the longest event id, event type and part of an alert key, in bytes.
	MaxID = 256
	// MaxValue is how many runes of one value a text shows, the mark that it was
	// shortened included.
	MaxValue = 2000
	// MaxJSON is the longest JSON form of an alert, in bytes.
	MaxJSON = 32 << 10
)

// cutMark stands where a value was shortened.
const cutMark = "…"

// Shorten cuts s to at most so many runes, the mark that it was cut included.
func Shorten(s string, runes int) string {
	if len(s) <= runes {
		return s
	}
	n, cut := 0, 0
	for i := range s {
		if n++; n == runes {
			cut = i
		}
		if n > runes {
			return s[:cut] + cutMark
		}
	}
	return s
}

// ShortenBytes cuts s to at most so many bytes on a rune boundary, the mark
// that it was cut included.
func ShortenBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := max(limit-len(cutMark), 0)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + cutMark
}

// JSON returns the alert as it travels in records, on one line. Unlike
// json.Marshal it leaves <, > and & as they are: escaped, each takes six bytes.
func (a *Alert) JSON() ([]byte, error) { return marshal(a) }

// marshal is json.Marshal without the escaping that only HTML needs.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Bound shortens what is beyond the bounds and notes that in Shortened: event
// id and type to MaxID bytes, values to MaxValue runes, then, until its JSON form
// takes at most MaxJSON bytes, all values further, the fields from the last on,
// and the text. The parts of the key stay different where they were different:
// of a long one, the beginning stays, followed by its hash.
func (a *Alert) Bound() {
	a.EventID = a.clip(a.EventID)
	a.EventType = a.clip(a.EventType)
	for i, part := range a.Key {
		a.Key[i] = a.clipKey(part)
	}
	for _, runes := range []int{MaxValue, MaxValue / 4, MaxValue / 20} {
		a.shortenValues(runes)
		if a.fits() {
			return
		}
	}
	a.Shortened = true
	for len(a.Fields) > 0 {
		a.Fields = a.Fields[:len(a.Fields)/2]
		if a.fits() {
			return
		}
	}
	a.Fields, a.Text = nil, nil
	if !a.fits() { // the title's literals: the rule's author wrote that much
		a.Title = Text{{Text: ShortenBytes(a.Title.String(), MaxValue), Value: true}}
	}
}

// fits reports whether the JSON form is short enough. An ordinary alert fits
// however it is escaped, which needs no encoding to see.
func (a *Alert) fits() bool {
	if escaped*a.size() <= MaxJSON {
		return true
	}
	b, err := a.JSON()
	return err != nil || len(b) <= MaxJSON
}

// escaped is how many bytes one byte of a text takes in JSON at most: \u0000.
const escaped = 6

// size is at least a sixth of the JSON form: the bytes of all texts, and for each
// what stands around it.
func (a *Alert) size() int {
	const around, members = 16, 64
	n := members
	add := func(s string) { n += around + len(s) }
	text := func(t Text) {
		for _, part := range t {
			add(part.Text)
		}
	}
	for _, s := range []string{a.ID, a.Rule, string(a.Severity), a.EventType, a.EventID, a.Topic, a.Runbook} {
		add(s)
	}
	for _, part := range a.Key {
		add(part)
	}
	text(a.Title)
	text(a.Text)
	for _, f := range a.Fields {
		add(f.Label)
		text(f.Value)
	}
	return n
}

func (a *Alert) clip(s string) string {
	short := ShortenBytes(s, MaxID)
	a.Shortened = a.Shortened || len(short) != len(s)
	return short
}

// clipKey bounds one part of a key. It measures the JSON form, in which a
// control character takes six bytes.
func (a *Alert) clipKey(part string) string {
	const prefix = 64
	if len(part) <= prefix {
		return part
	}
	if b, err := marshal(part); err == nil && len(b) <= MaxID+len(`""`) {
		return part
	}
	a.Shortened = true
	sum := sha256.Sum256([]byte(part))
	return ShortenBytes(part, prefix) + hex.EncodeToString(sum[:8])
}

func (a *Alert) shortenValues(runes int) {
	a.shortenText(a.Title, runes)
	a.shortenText(a.Text, runes)
	for _, f := range a.Fields {
		a.shortenText(f.Value, runes)
	}
}

func (a *Alert) shortenText(t Text, runes int) {
	for i, part := range t {
		if !part.Value {
			continue
		}
		short := Shorten(part.Text, runes)
		a.Shortened = a.Shortened || len(short) != len(part.Text)
		t[i].Text = short
	}
}
