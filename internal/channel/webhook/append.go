package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// object appends the members of a JSON object. encoding/json takes several times as
// long, and there is a payload for each attempt. It keeps the first error.
type object struct {
	b   []byte
	err error
}

func (o *object) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), `":`...)
}

// any appends what encoding/json makes of a value, without escapes for HTML.
func (o *object) any(value any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil && o.err == nil {
		o.err = err
	}
	o.b = append(o.b, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func (o *object) string(text string) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			o.any(text)
			return
		}
	}
	o.b = append(append(append(o.b, '"'), text...), '"')
}

func (o *object) text(name, text string) {
	o.name(name)
	o.string(text)
}

func (o *object) optional(name, text string) {
	if text != "" {
		o.text(name, text)
	}
}

func (o *object) number(name string, n int) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, int64(n), 10)
}

func (o *object) isTrue(name string, is bool) {
	if is {
		o.name(name)
		o.b = append(o.b, "true"...)
	}
}

func (o *object) time(name string, t time.Time) {
	o.name(name)
	if y := t.Year(); y < 0 || y > 9999 || t.Location() != time.UTC { // encoding/json knows which can be written
		o.any(t)
		return
	}
	o.b = append(t.AppendFormat(append(o.b, '"'), time.RFC3339Nano), '"')
}

func (o *object) list(name string, n int, item func(int)) {
	o.name(name)
	o.b = append(o.b, '[')
	for i := range n {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		item(i)
	}
	o.b = append(o.b, ']')
}

// appendJSON appends the payload as encoding/json would write it.
func (p *payload) appendJSON(b []byte) ([]byte, error) {
	o := object{b: append(b, '{')}
	o.text("id", p.ID)
	o.text("delivery", p.Delivery)
	o.text("rule", p.Rule)
	o.text("severity", p.Severity)
	o.list("key", len(p.Key), func(i int) { o.string(p.Key[i]) })
	o.text("group", p.Group)
	o.text("title", p.Title)
	o.optional("text", p.Text)
	o.list("fields", len(p.Fields), func(i int) {
		o.b = append(o.b, '{')
		o.text("label", p.Fields[i].Label)
		o.text("value", p.Fields[i].Value)
		o.b = append(o.b, '}')
	})
	o.text("state", p.State)
	if p.Since != nil {
		o.time("since", *p.Since)
	}
	o.isTrue("reminder", p.Reminder)
	if p.Instead != nil {
		o.name("instead")
		o.any(p.Instead)
	}
	o.time("event_time", p.EventTime)
	o.optional("event_type", p.EventType)
	o.optional("event_id", p.EventID)
	o.text("topic", p.Topic)
	o.optional("runbook", p.Runbook)
	o.number("count", p.Count)
	o.isTrue("may_be_duplicate", p.Duplicate)
	if p.Replay != 0 {
		o.number("replay", p.Replay)
	}
	o.isTrue("resent", p.Resent)
	o.isTrue("test", p.Test)
	if p.LateSeconds != 0 {
		o.name("late_seconds")
		o.any(p.LateSeconds)
	}
	o.isTrue("shortened", p.Shortened)
	o.isTrue("event_omitted", p.EventOmitted)
	if p.Digest != nil {
		o.name("digest")
		o.any(p.Digest)
	}
	return append(o.b, '}'), o.err
}
