package deliverylog

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// object appends a JSON object. encoding/json takes five times as long, and there is
// a record for each delivery.
type object []byte

func (o object) name(name string) object {
	if last := len(o) - 1; last >= 0 && o[last] != '{' && o[last] != '[' {
		o = append(o, ',')
	}
	return append(append(append(o, '"'), name...), '"', ':')
}

func (o object) text(name, value string) object { return quote(o.name(name), value) }

func (o object) optional(name, value string) object {
	if value == "" {
		return o
	}
	return o.text(name, value)
}

func (o object) number(name string, n int64) object {
	return strconv.AppendInt(o.name(name), n, 10)
}

func (o object) positive(name string, n int) object {
	if n == 0 {
		return o
	}
	return o.number(name, int64(n))
}

func (o object) isTrue(name string, is bool) object {
	if !is {
		return o
	}
	return append(o.name(name), "true"...)
}

func (o object) list(name string, texts []string) object {
	o = append(o.name(name), '[')
	for i, text := range texts {
		if i > 0 {
			o = append(o, ',')
		}
		o = quote(o, text)
	}
	return append(o, ']')
}

func (o object) time(name string, t time.Time) object {
	if y := t.UTC().Year(); y < 0 || y > 9999 { // RFC 3339 has no such year
		t = time.Time{}
	}
	o = append(o.name(name), '"')
	return append(t.UTC().AppendFormat(o, time.RFC3339Nano), '"')
}

// quote appends a JSON string.
func quote(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return append(b, marshal(text)...)
		}
	}
	return append(append(append(b, '"'), text...), '"')
}

func marshal(text string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always encodes
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// appendJSON appends the record as encoding/json would write it.
func (r *Record) appendJSON(b []byte) []byte {
	o := append(object(b), '{').number("version", int64(r.Version)).text("decision", string(r.Decision)).time("ended", r.Ended).
		text("alert", r.Alert).text("delivery", r.Delivery).text("channel", r.Channel).text("rule", r.Rule).text("severity", r.Severity).
		optional("state", r.State).positive("reminder", r.Reminder)
	o = o.list("key", r.Key)
	if len(r.KeyNames) > 0 {
		o = o.list("key_names", r.KeyNames)
	}
	if len(r.Group) > 0 {
		o = o.list("group", r.Group)
	}
	o = o.text("title", r.Title)
	if len(r.Fields) > 0 {
		o = append(o.name("fields"), '[')
		for i, f := range r.Fields {
			if i > 0 {
				o = append(o, ',')
			}
			o = append(append(o, '{').text("label", f.Label).text("value", f.Value), '}')
		}
		o = append(o, ']')
	}
	e := &r.Event
	o = append(o.name("event"), '{').text("topic", e.Topic).optional("topic_id", e.TopicID).number("partition", int64(e.Partition)).number("offset", e.Offset).
		optional("id", e.ID).optional("type", e.Type).time("time", e.Time)
	o = append(append(o, '}').name("outbox"), '{').optional("topic_id", r.Outbox.TopicID).number("partition", int64(r.Outbox.Partition)).number("offset", r.Outbox.Offset)
	o = append(append(o, '}').time("received", r.Received).name("attempts"), '[')
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if i > 0 {
			o = append(o, ',')
		}
		o = append(o, '{').time("started", a.Started).name("duration_seconds")
		o = append(a.Duration.append(o).text("result", a.Result).optional("cause", string(a.Cause)).optional("detail", a.Detail), '}')
	}
	o = append(o, ']').positive("attempts_omitted", r.Omitted).positive("earlier_attempts", r.Earlier).optional("receipt", r.Receipt).optional("digest", r.Digest).
		isTrue("may_be_duplicate", r.MayBeDuplicate).positive("replay", r.Replay).optional("resent_by", r.ResentBy).optional("to", r.To).
		optional("silence", r.Silence).
		optional("reason", string(r.Reason)).optional("cause", string(r.Cause)).optional("detail", r.Detail).text("client", r.Client).isTrue("cut", r.Cut)
	return append(o, '}')
}

func (s Seconds) append(o object) object {
	return strconv.AppendFloat(o, time.Duration(s).Round(time.Microsecond).Seconds(), 'g', -1, 64)
}
