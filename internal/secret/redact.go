package secret

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Hidden replaces a secret.
const Hidden = "[redacted]"

// keptValues is how many recent values of a secret are redacted: old ones may
// appear after its file has changed.
const keptValues = 8

// Redactor removes secrets from texts: plain, escaped for JSON, URLs or HTML, also
// repeatedly, or inside base64. It redacts the given secrets and credentials of
// well-known kinds, a nil Redactor only the latter. It is safe for concurrent use.
type Redactor struct {
	mu      sync.Mutex
	texts   []string   // of Add
	secrets []*tracked // of NewRedactor
	table   atomic.Pointer[table]
}

// tracked is a secret with its recent values, the latest last. A password has its
// user name, since both are sent as one text.
type tracked struct {
	secret, user String
	values       []string
}

// NewRedactor returns a Redactor for every String inside the values, which may be
// structs, maps, slices and pointers, and for later values of their files.
func NewRedactor(values ...any) *Redactor {
	r := &Redactor{}
	for _, v := range values {
		r.secrets = append(r.secrets, stringsOf(v)...)
	}
	for _, t := range r.secrets {
		t.record(t.secret.Reveal(), t.user.Reveal())
		for _, s := range []String{t.secret, t.user} {
			s.file.onChange(func() { r.update(t) })
		}
	}
	r.rebuild()
	return r
}

// Redact redacts the secrets inside the values, without a Redactor.
func Redact(text string, values ...any) string {
	var known []string
	for _, v := range values {
		for _, t := range stringsOf(v) {
			t.record(t.secret.Reveal(), t.user.Reveal())
			t.record(t.secret.last(), t.user.last())
			known = append(known, t.values...)
		}
	}
	return redactKinds(replace(text, newTable(known).find(text)))
}

// Add adds secrets.
func (r *Redactor) Add(texts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, texts...)
	r.rebuild()
}

// update records the current value of a secret's file.
func (r *Redactor) update(t *tracked) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t.record(t.secret.last(), t.user.last())
	r.rebuild()
}

// record adds a value and drops the oldest beyond keptValues.
func (t *tracked) record(value, user string) {
	forms := []string{value}
	if t.secret.scheme != "" {
		forms = append(forms, strings.TrimPrefix(value, t.secret.scheme))
	}
	if user != "" && value != "" {
		forms = append(forms, user+":"+value, "\x00"+user+"\x00"+value) // RFC 7617, RFC 4616
	}
	for _, v := range forms {
		if v != "" && !slices.Contains(t.values, v) {
			t.values = append(t.values, v)
		}
	}
	t.values = t.values[max(0, len(t.values)-keptValues*len(forms)):]
}

// rebuild makes the table of all patterns. r.mu is held, or r is new.
func (r *Redactor) rebuild() {
	all := slices.Clone(r.texts)
	for _, t := range r.secrets {
		all = append(all, t.values...)
	}
	r.table.Store(newTable(all))
}

// Redact returns s with its secrets replaced by Hidden.
func (r *Redactor) Redact(s string) string {
	if r != nil {
		if t := r.table.Load(); t != nil {
			s = replace(s, t.find(s))
		}
	}
	return redactKinds(s)
}

// span is the part of a text from from to before to.
type span struct{ from, to int }

// replace replaces parts of a text with Hidden, overlapping ones once.
func replace(s string, spans []span) string {
	if len(spans) == 0 {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for i := 0; i < len(spans); {
		merged := spans[i]
		for i++; i < len(spans) && spans[i].from <= merged.to; i++ {
			merged.to = max(merged.to, spans[i].to)
		}
		b.WriteString(s[at:merged.from])
		b.WriteString(Hidden)
		at = merged.to
	}
	b.WriteString(s[at:])
	return b.String()
}
