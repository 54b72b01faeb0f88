package secret

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Hidden is what stands where a secret was.
const Hidden = "[redacted]"

// keptValues is how many values of one secret are known at a time: a provider
// may still repeat an old one after its file has changed, and tokens that
// change every hour must not pile up.
const keptValues = 8

// Redactor takes secrets out of texts, in whatever spelling they stand there:
// as they are, escaped for JSON, URLs or HTML, even more than once, or as a part
// of something in base64. It knows the secrets that it was given, and what
// credentials of well-known kinds look like. All methods may be called at once;
// a nil Redactor knows the well-known kinds alone.
type Redactor struct {
	mu      sync.Mutex
	texts   []string   // given by Add
	secrets []*tracked // given as Strings
	table   atomic.Pointer[table]
}

// tracked is a secret with the values that it had, the last at the end. A
// password has its user name with it: both travel as one text.
type tracked struct {
	secret, user String
	values       []string
}

// NewRedactor returns a Redactor that knows every String within the values:
// structs, maps, slices and pointers are looked through. What such a String's
// Current finds later is known as well.
func NewRedactor(values ...any) *Redactor {
	r := &Redactor{}
	for _, v := range values {
		r.secrets = append(r.secrets, within(v)...)
	}
	for _, t := range r.secrets {
		t.note(t.secret.Reveal(), t.user.Reveal())
		for _, s := range []String{t.secret, t.user} {
			s.file.notify(func() { r.changed(t) })
		}
	}
	r.rebuild()
	return r
}

// Redact returns a text without the secrets within the values, for where no
// Redactor is at hand.
func Redact(text string, values ...any) string {
	var known []string
	for _, v := range values {
		for _, t := range within(v) {
			t.note(t.secret.Reveal(), t.user.Reveal())
			t.note(t.secret.last(), t.user.last())
			known = append(known, t.values...)
		}
	}
	return wellKnown(cutOut(text, newTable(known).find(text)))
}

// Add makes more secrets known.
func (r *Redactor) Add(texts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, texts...)
	r.rebuild()
}

// changed takes over what the file of a secret holds now.
func (r *Redactor) changed(t *tracked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.note(t.secret.last(), t.user.last())
	r.rebuild()
}

// note adds a value, and drops the oldest where there are too many.
func (t *tracked) note(value, user string) {
	known := []string{value}
	if user != "" && value != "" {
		known = append(known, user+":"+value, "\x00"+user+"\x00"+value) // RFC 7617, RFC 4616
	}
	for _, v := range known {
		if v != "" && !slices.Contains(t.values, v) {
			t.values = append(t.values, v)
		}
	}
	most := keptValues * len(known)
	t.values = t.values[max(0, len(t.values)-most):]
}

// rebuild makes the table of all that is looked for. r.mu is held, or r is new.
func (r *Redactor) rebuild() {
	all := slices.Clone(r.texts)
	for _, t := range r.secrets {
		all = append(all, t.values...)
	}
	r.table.Store(newTable(all))
}

// Redact returns a text without the secrets in it. A text that holds none comes
// back as it is.
func (r *Redactor) Redact(s string) string {
	if r != nil {
		if t := r.table.Load(); t != nil {
			s = cutOut(s, t.find(s))
		}
	}
	return wellKnown(s)
}

// span is a part of a text: from, and up to but without to.
type span struct{ from, to int }

// cutOut replaces parts of a text; those that overlap are one.
func cutOut(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for i := 0; i < len(spans); {
		whole := spans[i]
		for i++; i < len(spans) && spans[i].from <= whole.to; i++ {
			whole.to = max(whole.to, spans[i].to)
		}
		b.WriteString(s[at:whole.from])
		b.WriteString(Hidden)
		at = whole.to
	}
	b.WriteString(s[at:])
	return b.String()
}
