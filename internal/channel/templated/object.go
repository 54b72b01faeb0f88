package templated

import (
	"html"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/event"
)

// root is the name of what the expressions of a body read, members are what it has.
const root = "alert"

var members = []string{
	"title", "text", "summary", "severity", "rule", "key", "key_text", "fields", "field", "event_time", "event_type", "event_id", "topic",
	"runbook", "id", "delivery", "notes", "count", "digest", "test", "replay", "may_be_duplicate", "state", "heading", "since", "reminder", "instead",
}

// escapes are the ways to write values into the texts of a body.
var escapes = map[string]medium{
	"none": {asIs, asIs, utf8.RuneCountInString}, "html": {asIs, html.EscapeString, utf8.RuneCountInString},
	"slack":    {asIs, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace, utf8.RuneCountInString},
	"markdown": {asIs, codeSpan, utf8.RuneCountInString},
}

// alertValue returns a message as the object alert. All its texts are visible.
func alertValue(m channel.Message) event.Value {
	a, c := m.Alert, m.Content()
	var list []event.Value
	add := func(name string, v event.Value) { list = append(list, event.Member(name, v)) }
	text := func(name, s string) {
		if s != "" {
			add(name, event.StringValue(s))
		}
	}
	text("title", c.Title.String())
	text("text", strings.Join(plain.lines(c, 1<<20), "\n"))
	text("summary", summary(c))
	text("severity", alert.Visible(string(a.Severity)))
	text("rule", alert.Visible(a.Rule))
	add("key", stringsValue(visibleAll(a.Key)))
	text("key_text", alert.Visible(a.KeyText()))
	var fields, byLabel []event.Value
	for _, f := range c.Fields {
		value := event.StringValue(f.Value.String())
		fields = append(fields, event.ObjectValue([]event.Value{event.Member("label", event.StringValue(f.Label)), event.Member("value", value)}))
		byLabel = append(byLabel, event.Member(f.Label, value))
	}
	add("fields", event.ArrayValue(fields))
	add("field", event.ObjectValue(byLabel))
	if !a.EventTime.IsZero() {
		text("event_time", a.EventTime.UTC().Format(time.RFC3339Nano))
	}
	text("event_type", alert.Visible(a.EventType))
	text("event_id", alert.Visible(a.EventID))
	text("topic", alert.Visible(a.Topic))
	text("runbook", c.Runbook)
	text("id", alert.Visible(a.ID))
	text("delivery", m.Delivery)
	add("notes", stringsValue(c.Notes))
	add("count", event.NumberValue(float64(1+m.Suppressed)))
	if d := m.Digest; d != nil {
		add("digest", event.ObjectValue([]event.Value{
			event.Member("alerts", event.NumberValue(float64(d.Alerts))), event.Member("groups", event.NumberValue(float64(d.Groups))),
		}))
	}
	state := "firing"
	if m.Resolved() {
		state = string(alert.Resolved)
	}
	text("state", state)
	text("heading", c.Heading)
	if !m.Since.IsZero() {
		text("since", m.Since.UTC().Format(time.RFC3339Nano))
	}
	add("reminder", event.BoolValue(m.Reminder))
	if m.Instead != nil {
		text("instead", alert.Visible(m.Instead.Channel))
	}
	add("test", event.BoolValue(m.Test))
	add("replay", event.NumberValue(float64(m.Replay)))
	add("may_be_duplicate", event.BoolValue(m.MayBeDuplicate))
	return event.ObjectValue(list)
}

// summary is the whole message as plain text.
func summary(c channel.Content) string {
	lines := []string{heading(c).String()}
	for _, f := range c.Fields {
		lines = append(lines, f.Label+": "+f.Value.String())
	}
	lines = append(lines, plain.lines(c, 1<<20)...)
	if foot := c.Footer(); foot != "" {
		lines = append(lines, foot)
	}
	if c.Runbook != "" {
		lines = append(lines, c.Runbook)
	}
	return strings.Join(lines, "\n")
}

func stringsValue(list []string) event.Value {
	values := make([]event.Value, len(list))
	for i, s := range list {
		values[i] = event.StringValue(s)
	}
	return event.ArrayValue(values)
}

func visibleAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = alert.Visible(s)
	}
	return out
}
