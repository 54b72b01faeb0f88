package alert

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"unicode/utf8"
)

// The bounds of an alert, with which its record fits into an outbox and a
// dead-letter topic.
const (
	MaxID    = 256      // bytes of an event id, an event type and a part of the alert key
	MaxValue = 2000     // runes of one value, including the ellipsis
	MaxJSON  = 32 << 10 // bytes of the JSON form
)

const ellipsis = "…"

// Shorten truncates s to at most so many runes, including the ellipsis.
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
			return s[:cut] + ellipsis
		}
	}
	return s
}

// ShortenBytes truncates s to at most limit bytes on a rune boundary, including
// the ellipsis.
func ShortenBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := max(limit-len(ellipsis), 0)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + ellipsis
}

// JSON returns the alert on one line, with <, > and & unescaped.
func (a *Alert) JSON() ([]byte, error) { return a.AppendJSON(nil) }

// marshal is json.Marshal without HTML escaping.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Bound enforces the bounds and sets Shortened if it changes anything. It truncates
// the event id and type to MaxID and values to MaxValue; then, until the JSON form
// fits, truncates values further, drops fields from the end, and drops the text.
// A long part of the key becomes its beginning and its hash, so keys stay distinct.
func (a *Alert) Bound() {
	a.EventID = a.clip(a.EventID)
	a.EventType = a.clip(a.EventType)
	for i, part := range a.Key {
		a.Key[i] = a.clipKey(part)
	}
	for i, part := range a.Group {
		a.Group[i] = a.clipKey(part)
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
	if !a.fits() { // the title's literals are too long
		a.Title = Text{{Text: ShortenBytes(a.Title.String(), MaxValue), Value: true}}
	}
}

// fits reports whether the JSON form is within MaxJSON. It encodes only an alert
// that might not be.
func (a *Alert) fits() bool {
	if maxEscape*a.size() <= MaxJSON {
		return true
	}
	b, err := a.JSON()
	return err != nil || len(b) <= MaxJSON
}

// maxEscape is the most bytes of JSON per byte of text: \u0000.
const maxEscape = 6

// size estimates the JSON form without escapes, in bytes. The JSON form takes at
// most maxEscape times that.
func (a *Alert) size() int {
	const perText, fixed = 16, 64
	n := fixed
	add := func(s string) { n += perText + len(s) }
	text := func(t Text) {
		for _, part := range t {
			add(part.Text)
		}
	}
	for _, s := range []string{a.ID, a.Rule, string(a.Severity), string(a.WorstSeverity), a.EventType, a.EventID, a.Topic, a.Runbook} {
		add(s)
	}
	for _, parts := range [][]string{a.Key, a.KeyNames, a.Group} {
		for _, part := range parts {
			add(part)
		}
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

// clipKey bounds the JSON form of one part of a key.
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
