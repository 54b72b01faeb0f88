// Package lookalike replaces the values of an event by others that look alike: of the same
// type and length, with the same shape around them. The result can be kept as a sample
// where the event itself must not be. Start reading at Replace.
package lookalike

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/algotrade/notifier/internal/event"
)

// Options say what stays as it is.
type Options struct {
	// Keep are paths without the numbers of elements, such as legs.symbol: their values
	// stay, with all that is in them.
	Keep []string
	// Known reports whether a text at a path is a word that anybody may see, such as an
	// event type.
	Known func(path, text string) bool
	// Seed makes the look-alikes: the same event with the same seed has the same. It must
	// be secret or the event's own bytes, since values could be tried otherwise.
	Seed []byte
	// Prefer reports whether a result is as good as the event, as for rules that match it.
	// Others are tried until one is; nil: any is.
	Prefer func(event.Value) bool
}

// Kept is a value that stays as it is.
type Kept struct{ Path, Value string }

// Result is an event with its values replaced.
type Result struct {
	Doc      event.Value
	Kept     []Kept // each once, in the order of the event
	Replaced int    // values
	Shifted  int    // times, of them
}

// Day is the time to which the time of an event is moved, at the second. Other times keep
// their distance from it.
var Day = time.Date(2026, 11, 23, 14, 31, 5, 0, time.UTC)

// rounds is how often other look-alikes are tried if one contains an original by chance, or
// is not preferred.
const rounds = 100

// Replace returns the event with its values replaced. Equal values have equal
// look-alikes. Numbers keep their sign, their digits before and behind the point, and
// zeros; times keep their distances. Names of members, booleans and null stay.
func Replace(ev *event.Event, o Options) (*Result, error) {
	for _, path := range o.Keep {
		if !hasPath(ev.Doc, strings.Split(path, ".")) {
			return nil, fmt.Errorf("the event has no %s", path)
		}
	}
	var first *Result
	for round := range rounds {
		r := &replacer{o: o, shift: Day.Sub(ev.Time.Truncate(time.Second)), at: ev.Time, round: byte(round), result: &Result{}}
		r.result.Doc = r.value(ev.Doc, "", false)
		switch {
		case r.leaks():
		case o.Prefer == nil || o.Prefer(r.result.Doc):
			return r.result, nil
		case first == nil:
			first = r.result
		}
	}
	if first != nil {
		return first, nil
	}
	return nil, fmt.Errorf("values that look alike contain the original ones in each of %d attempts: keep the shortest of them", rounds)
}

func hasPath(v event.Value, names []string) bool {
	if v.Kind() == event.Array {
		return slices.ContainsFunc(elements(v), func(e event.Value) bool { return hasPath(e, names) })
	}
	if len(names) == 0 {
		return v.Kind() != event.Missing
	}
	return v.Kind() == event.Object && hasPath(v.Get(names[0]), names[1:])
}

func elements(v event.Value) []event.Value {
	list := make([]event.Value, v.Len())
	for i := range list {
		list[i] = v.At(i)
	}
	return list
}

type replacer struct {
	o         Options
	shift     time.Duration
	at        time.Time
	round     byte
	result    *Result
	originals []string // texts that were replaced
	written   []string // what they were replaced by
}

func (r *replacer) value(v event.Value, path string, keep bool) event.Value {
	keep = keep || slices.Contains(r.o.Keep, path)
	switch v.Kind() {
	case event.Object:
		var members []event.Value
		for _, m := range elements(v) {
			members = append(members, event.Member(m.Name(), r.value(m, join(path, m.Name()), keep)))
		}
		return event.ObjectValue(members)
	case event.Array:
		var list []event.Value
		for _, e := range elements(v) {
			list = append(list, r.value(e, path, keep))
		}
		return event.ArrayValue(list)
	case event.String:
		return event.StringValue(r.text(path, v.Text(), keep))
	case event.Number:
		return r.number(path, v, keep)
	}
	return v
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var decimal = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

func (r *replacer) text(path, text string, keep bool) string {
	if shifted, ok := shiftText(text, r.shift, r.at); ok && !keep {
		r.result.Shifted++
		r.result.Replaced++
		return shifted
	}
	number := decimal.MatchString(text)
	switch plain := strings.IndexFunc(text, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }) < 0; {
	case plain && !keep: // punctuation, or empty
		return text
	case keep, !number && r.o.Known(path, text), number && strings.Trim(text, "+-0.eE") == "":
		r.keep(path, text)
		return text
	}
	other := r.letters(text)
	if number {
		other = r.digits(text)
	}
	r.note(text, other)
	return other
}

func (r *replacer) number(path string, v event.Value, keep bool) event.Value {
	text := v.Text()
	if shifted, ok := shiftNumber(text, r.shift, r.at); ok && !keep {
		r.result.Shifted++
		r.result.Replaced++
		return event.LiteralValue(shifted, 0)
	}
	if keep || strings.Trim(text, "+-0.eE") == "" || !decimal.MatchString(text) {
		r.keep(path, text)
		return v
	}
	other := r.digits(text)
	r.note(text, other)
	return event.LiteralValue(other, 0)
}

func (r *replacer) keep(path, text string) {
	if k := (Kept{path, text}); !slices.Contains(r.result.Kept, k) {
		r.result.Kept = append(r.result.Kept, k)
	}
}

func (r *replacer) note(original, other string) {
	r.result.Replaced++
	r.originals, r.written = append(r.originals, original), append(r.written, other)
}

// leaks reports whether a look-alike contains an original: by chance, since there are few
// of a short one. Those of up to three characters are too many to avoid, and say little.
func (r *replacer) leaks() bool {
	for i, other := range r.written {
		if other == r.originals[i] {
			return true
		}
		if slices.ContainsFunc(r.originals, func(o string) bool { return len([]rune(o)) > 3 && strings.Contains(other, o) }) {
			return true
		}
	}
	return false
}

// source returns bytes that depend on the seed and a text.
func (r *replacer) source(text string) func() byte {
	var block [sha256.Size]byte
	n := byte(0)
	used := len(block)
	return func() byte {
		if used == len(block) {
			h := sha256.New()
			fmt.Fprintf(h, "%d %s", len(r.o.Seed), r.o.Seed)
			h.Write([]byte{r.round, n})
			h.Write([]byte(text))
			h.Sum(block[:0])
			n, used = n+1, 0
		}
		used++
		return block[used-1]
	}
}

// JSON returns a document as JSON.
func JSON(v event.Value) []byte { return appendJSON(nil, v) }

func appendJSON(out []byte, v event.Value) []byte {
	switch v.Kind() {
	case event.Bool:
		return fmt.Append(out, v.Bool())
	case event.Number:
		if text := []byte(v.Text()); json.Valid(text) {
			return append(out, text...)
		}
		return fmt.Append(out, v.Float())
	case event.String:
		return append(out, quoted(v.Text())...)
	case event.Array, event.Object:
		open, end := byte('['), byte(']')
		if v.Kind() == event.Object {
			open, end = '{', '}'
		}
		out = append(out, open)
		for i, e := range elements(v) {
			if i > 0 {
				out = append(out, ',')
			}
			if v.Kind() == event.Object {
				out = append(append(out, quoted(e.Name())...), ':')
			}
			out = appendJSON(out, e)
		}
		return append(out, end)
	}
	return append(out, "null"...)
}

func quoted(text string) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(text); err != nil {
		panic(err) // a string has JSON
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
