package alert

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// AppendJSON appends what JSON returns. Each alert is encoded and decoded once per
// channel, so both are written out; encoding/json takes several times as long. The
// members are in the order of Alert's fields.
func (a *Alert) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.b = append(w.b, '{')
	w.text("id", a.ID)
	w.text("rule", a.Rule)
	w.text("severity", string(a.Severity))
	w.optional("state", string(a.State))
	w.optional("worst_severity", string(a.WorstSeverity))
	w.name("key")
	w.list(len(a.Key), a.Key == nil, func(i int) { w.value(a.Key[i]) })
	if len(a.KeyNames) > 0 {
		w.name("key_names")
		w.list(len(a.KeyNames), false, func(i int) { w.value(a.KeyNames[i]) })
	}
	if len(a.Group) > 0 {
		w.name("group")
		w.list(len(a.Group), false, func(i int) { w.value(a.Group[i]) })
	}
	w.name("title")
	w.parts(a.Title)
	if len(a.Text) > 0 {
		w.name("text")
		w.parts(a.Text)
	}
	if len(a.Fields) > 0 {
		w.name("fields")
		w.list(len(a.Fields), false, func(i int) {
			w.b = append(w.b, '{')
			w.text("label", a.Fields[i].Label)
			w.name("value")
			w.parts(a.Fields[i].Value)
			w.b = append(w.b, '}')
		})
	}
	w.time("event_time", a.EventTime)
	w.optional("event_type", a.EventType)
	w.optional("event_id", a.EventID)
	w.text("topic", a.Topic)
	w.optional("runbook", a.Runbook)
	w.number("throttle_ns", int64(a.Throttle))
	w.number("expire_ns", int64(a.Expire))
	w.flag("clears", a.Clears)
	w.number("remind_ns", int64(a.Remind))
	w.number("reminder", int64(a.Reminder))
	if !a.Since.IsZero() {
		w.time("since", a.Since)
	}
	w.flag("shortened", a.Shortened)
	w.optional("quiet", a.Quiet)
	if !a.QuietUntil.IsZero() {
		w.time("quiet_until", a.QuietUntil)
	}
	return append(w.b, '}'), w.err
}

// writer appends members of a JSON object. It keeps the first error.
type writer struct {
	b   []byte
	err error
}

func (w *writer) keep(b []byte, err error) {
	w.b = b
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) name(name string) {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), name...), `":`...)
}

func (w *writer) value(text string) { w.keep(appendText(w.b, text)) }

func (w *writer) text(name, text string) {
	w.name(name)
	w.value(text)
}

func (w *writer) optional(name, text string) {
	if text != "" {
		w.text(name, text)
	}
}

func (w *writer) number(name string, n int64) {
	if n != 0 {
		w.name(name)
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *writer) flag(name string, set bool) {
	if set {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) time(name string, t time.Time) {
	w.name(name)
	w.b = append(w.b, '"')
	start := len(w.b)
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	if y := t.Year(); y < 0 || y > 9999 || w.b[len(w.b)-1] != 'Z' { // encoding/json knows which zones can be written
		text, err := t.MarshalJSON()
		w.keep(append(w.b[:start-1], text...), err)
		return
	}
	w.b = append(w.b, '"')
}

func (w *writer) list(n int, null bool, item func(int)) {
	if null {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		item(i)
	}
	w.b = append(w.b, ']')
}

func (w *writer) parts(t Text) {
	w.list(len(t), t == nil, func(i int) {
		if !t[i].Value {
			w.value(t[i].Text)
			return
		}
		w.b = append(w.b, `{"v":`...)
		w.value(t[i].Text)
		w.b = append(w.b, '}')
	})
}

// Decode reads the JSON form of an alert.
func Decode(b []byte) (*Alert, error) {
	r := reader{bytes: b, text: string(b)}
	if a := new(Alert); r.alert(a) {
		return a, nil
	}
	a := new(Alert)
	if err := json.Unmarshal(b, a); err != nil {
		return nil, err
	}
	return a, nil
}

// reader reads what AppendJSON writes, if its texts have no escapes; it gives up at
// everything else. All texts share the memory of one string.
type reader struct {
	bytes []byte
	text  string // the same
	at    int
}

// alert reads an alert and reports whether that was all.
func (r *reader) alert(a *Alert) bool {
	var severity, state, worst string
	var reminder int64
	ok := r.is(`{"id":`) && r.string(&a.ID) && r.is(`,"rule":`) && r.string(&a.Rule) && r.is(`,"severity":`) && r.string(&severity) &&
		(!r.is(`,"state":`) || r.string(&state)) && (!r.is(`,"worst_severity":`) || r.string(&worst)) &&
		r.is(`,"key":`) && r.strings(&a.Key) && (!r.is(`,"key_names":`) || r.strings(&a.KeyNames)) &&
		(!r.is(`,"group":`) || r.strings(&a.Group)) && r.is(`,"title":`) && r.parts(&a.Title) &&
		(!r.is(`,"text":`) || r.parts(&a.Text)) && (!r.is(`,"fields":`) || r.fields(&a.Fields)) &&
		r.is(`,"event_time":`) && r.time(&a.EventTime) &&
		(!r.is(`,"event_type":`) || r.string(&a.EventType)) && (!r.is(`,"event_id":`) || r.string(&a.EventID)) &&
		r.is(`,"topic":`) && r.string(&a.Topic) && (!r.is(`,"runbook":`) || r.string(&a.Runbook)) &&
		(!r.is(`,"throttle_ns":`) || r.duration(&a.Throttle)) && (!r.is(`,"expire_ns":`) || r.duration(&a.Expire)) &&
		r.flag(`,"clears":true`, &a.Clears) && (!r.is(`,"remind_ns":`) || r.duration(&a.Remind)) && (!r.is(`,"reminder":`) || r.number(&reminder)) &&
		(!r.is(`,"since":`) || r.time(&a.Since)) && r.flag(`,"shortened":true`, &a.Shortened)
	a.Reminder = int(reminder)
	a.Severity, a.State, a.WorstSeverity = Severity(severity), State(state), Severity(worst)
	ok = ok && (!r.is(`,"quiet":`) || r.string(&a.Quiet)) && (!r.is(`,"quiet_until":`) || r.time(&a.QuietUntil))
	return ok && r.is(`}`) && r.at == len(r.text)
}

// is reads a literal if it is the next.
func (r *reader) is(literal string) bool {
	if !strings.HasPrefix(r.text[r.at:], literal) {
		return false
	}
	r.at += len(literal)
	return true
}

// flag sets what a literal stands for if it is the next.
func (r *reader) flag(literal string, set *bool) bool {
	*set = r.is(literal)
	return true
}

func (r *reader) string(s *string) bool {
	if !r.is(`"`) {
		return false
	}
	n := strings.IndexByte(r.text[r.at:], '"')
	if n < 0 || !plain(r.text[r.at:r.at+n]) {
		return false
	}
	*s = r.text[r.at : r.at+n]
	r.at += n + 1
	return true
}

// list reads a list that is not empty; item reads one of it.
func (r *reader) list(item func() bool) bool {
	if !r.is(`[`) {
		return false
	}
	for item() {
		if r.is(`]`) {
			return true
		}
		if !r.is(`,`) {
			break
		}
	}
	return false
}

func (r *reader) strings(list *[]string) bool {
	return r.list(func() bool {
		s := ""
		ok := r.string(&s)
		*list = append(*list, s)
		return ok
	})
}

func (r *reader) parts(t *Text) bool {
	*t = make(Text, 0, 4)
	return r.list(func() bool {
		p := Part{Value: r.is(`{"v":`)}
		ok := r.string(&p.Text) && (!p.Value || r.is(`}`))
		*t = append(*t, p)
		return ok
	})
}

func (r *reader) fields(list *[]Field) bool {
	*list = make([]Field, 0, 4)
	return r.list(func() bool {
		f := Field{}
		ok := r.is(`{"label":`) && r.string(&f.Label) && r.is(`,"value":`) && r.parts(&f.Value) && r.is(`}`)
		*list = append(*list, f)
		return ok
	})
}

func (r *reader) time(t *time.Time) bool {
	s, start := "", r.at
	return r.string(&s) && t.UnmarshalJSON(r.bytes[start:r.at]) == nil
}

func (r *reader) duration(d *time.Duration) bool { return r.number((*int64)(d)) }

func (r *reader) number(v *int64) bool {
	n := 0
	for r.at+n < len(r.text) && '0' <= r.text[r.at+n] && r.text[r.at+n] <= '9' {
		n++
	}
	i, err := strconv.ParseInt(r.text[r.at:r.at+n], 10, 64)
	*v = i
	ok := err == nil && r.text[r.at] != '0'
	r.at += n
	return ok
}
