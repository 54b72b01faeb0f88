package schema

import (
	"encoding/json"
	"reflect"
	"strconv"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/channel/registry"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dispatch"
	"github.com/algotrade/notifier/internal/event"
	"github.com/algotrade/notifier/internal/rulesfile"
	"github.com/algotrade/notifier/internal/ruletest"
	"github.com/algotrade/notifier/internal/topics"
)

// types describes the types that decode themselves, by package and name.
var types map[string]func(m *maker, defaults reflect.Value) *Schema

func init() { // it refers to itself
	fixed := func(make func() *Schema) func(*maker, reflect.Value) *Schema {
		return func(*maker, reflect.Value) *Schema { return make() }
	}
	types = map[string]func(m *maker, defaults reflect.Value) *Schema{
		"secret.String":     fixed(secrets),
		"yamldoc.Scalar":    fixed(text),
		"yamldoc.Size":      fixed(sizes),
		"alert.Severity":    fixed(func() *Schema { return &Schema{Enum: severities()} }),
		"dispatch.Rate":     fixed(rates),
		"digest.Setting":    func(m *maker, _ reflect.Value) *Schema { return digests(m) },
		"kafka.Start":       fixed(start),
		"config.Level":      fixed(level),
		"config.Samples":    fixed(samples),
		"event.Config":      func(m *maker, _ reflect.Value) *Schema { return events(m) },
		"registry.Set":      func(m *maker, _ reflect.Value) *Schema { return channels(m) },
		"templated.Tree":    fixed(func() *Schema { return &Schema{} }),
		"templated.Equals":  fixed(text),
		"templated.Status":  fixed(status),
		"rulesfile.version": fixed(func() *Schema { return &Schema{Enum: []any{1, "1"}} }),
		"rulesfile.zone":    fixed(zone),
		"rulesfile.vars":    fixed(func() *Schema { return &Schema{} }),
		"rulesfile.elsewhere": func(m *maker, _ reflect.Value) *Schema {
			return m.of(reflect.TypeFor[[]ruletest.Test](), reflect.Value{})
		},
		"rulesfile.Reference":     fixed(text),
		"rulesfile.Route":         func(m *maker, _ reflect.Value) *Schema { return route(m) },
		"rulesfile.topicList":     fixed(topicLists),
		"rulesfile.Field":         fixed(field),
		"rulesfile.calendarEntry": fixed(calendars),
		"ruletest.topic":          fixed(topic),
		"ruletest.document":       fixed(func() *Schema { return &Schema{Type: "object"} }),
		"ruletest.member":         fixed(func() *Schema { return &Schema{} }),
		"ruletest.Repeat":         func(m *maker, _ reflect.Value) *Schema { return repeats(m) },
		"ruletest.Messages":       func(m *maker, _ reflect.Value) *Schema { return messages(m) },
		"ruletest.moment":         fixed(func() *Schema { return example(text(), "2026-11-23T14:31:05Z") }),
		"ruletest.key":            fixed(func() *Schema { return listOf(text()) }),
	}
}

func example(s *Schema, examples ...string) *Schema {
	s.Examples = words(examples...)
	return s
}

func secrets() *Schema { return example(text(), "env:NAME", "file:PATH") }

func sizes() *Schema {
	return &Schema{Type: []string{"string", "integer"}, Pattern: `^[0-9][0-9.,]* ?([kKmMgGtT][iI]?)?[bB]?$`, Remedy: "write a size as 64MiB", Minimum: "0"}
}

func durations() *Schema {
	const goes, prometheus = `[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+|[-+]?0`, `([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?`
	s := &Schema{Type: []string{"string", "integer"}, Pattern: "^(" + goes + "|" + prometheus + ")$", Remedy: "write a duration as 500ms, 30s, 5m, 1h, 7d or 1w", MinLength: 1, Minimum: "0", Maximum: "0"}
	return s
}

func rates() *Schema {
	return example(&Schema{Type: "string", Pattern: `^ *([0-9]+(\.[0-9]*)?|\.[0-9]+) */ *[smh] *$`, Remedy: "write a rate as 1/s, 30/m or 100/h"}, "1/s", "30/m", "100/h")
}

func severities() []any {
	var list []any
	for _, s := range alert.Severities() {
		list = append(list, string(s))
	}
	return list
}

func topic() *Schema {
	var list []any
	for _, t := range topics.All() {
		list = append(list, string(t))
	}
	return &Schema{Enum: list}
}

func topicLists() *Schema {
	s := listOf(topic())
	s.AnyOf[1].Unique = true
	return s
}

func start() *Schema {
	return &Schema{AnyOf: []*Schema{{Enum: words("earliest", "latest")}, example(&Schema{Type: "string", Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}T`}, "2026-11-23T09:30:00Z")}}
}

// level is a level of slog, which also reads WARN and info+1.
func level() *Schema {
	return &Schema{AnyOf: []*Schema{
		{Enum: words("debug", "info", "warn", "error")},
		{Type: "string", Pattern: `^([dD][eE][bB][uU][gG]|[iI][nN][fF][oO]|[wW][aA][rR][nN]|[eE][rR][rR][oO][rR])([-+][0-9]+)?$`},
	}}
}

// path is a text that is not empty.
func path() *Schema {
	return &Schema{Not: &Schema{Type: []string{"object", "array", "null"}}, MinLength: 1}
}

func samples() *Schema {
	return &Schema{Type: orNull("object"), Names: topic(), Others: listOf(path()), Description: "Files with sample events, one per line, or directories of such files, by topic. They replace the built-in samples of the topic."}
}

func events(m *maker) *Schema {
	s := m.object(reflect.TypeFor[event.Config](), reflect.ValueOf(event.Defaults()))
	fields := m.of(reflect.TypeFor[event.Fields](), reflect.ValueOf(event.DefaultFields()))
	fields.Description = "The paths of an event's id, type and time; the first with a usable value is used."
	for _, t := range topics.All() {
		s.Properties[string(t)] = fields
	}
	return s
}

func repeats(m *maker) *Schema {
	s := m.plain(reflect.TypeFor[ruletest.Repeat](), reflect.Value{})
	s.Required = []string{"times"}
	times := s.Properties["times"]
	times.Minimum, times.Maximum = "1", json.Number(strconv.Itoa(ruletest.MaxEvents))
	s.Properties["vary"].Others = &Schema{Not: &Schema{Type: "null"}, MinItems: 1} // a value, or a list of values
	return s
}

// messages are a number, or each of them.
func messages(m *maker) *Schema {
	list := &Schema{Type: "array", Items: m.of(reflect.TypeFor[ruletest.Message](), reflect.Value{})}
	return &Schema{AnyOf: []*Schema{{Type: "integer", Minimum: "0"}, list}}
}

func digests(m *maker) *Schema {
	own := m.of(reflect.TypeFor[digest.Config](), reflect.Value{})
	own.Type = "object"
	return &Schema{AnyOf: []*Schema{{Enum: []any{"on", "off", true, false}}, own}}
}

// channels are objects with one kind and the settings of all kinds.
func channels(m *maker) *Schema {
	channel := m.of(reflect.TypeFor[dispatch.Config](), reflect.Value{})
	channel.Type = "object"
	for _, kind := range registry.KindConfigs() {
		t := reflect.TypeOf(kind.Settings)
		settings := m.of(t, reflect.Value{})
		settings.Description = described(t.Name(), m.comments.in(t.PkgPath())[t.Name()])
		channel.Properties[kind.Name] = settings
		channel.OneOf = append(channel.OneOf, &Schema{Required: []string{kind.Name}})
	}
	return &Schema{
		Type: "object", MinKeys: 1, Others: channel, Names: name(),
		Description: "Destinations of alerts, by name. Each has one kind with its settings, and the settings of all kinds.",
	}
}

func name() *Schema { return &Schema{Pattern: `^[a-z0-9]+(-[a-z0-9]+)*$`, MaxLength: 64} }

func status() *Schema {
	return example(&Schema{Type: []string{"string", "integer"}, Pattern: `^[1-5][0-9][0-9](\.\.[1-5][0-9][0-9])?$`, Minimum: "100", Maximum: "599"}, "200..299")
}

func zone() *Schema { return example(text(), "UTC", "America/New_York", "Europe/London") }

// route maps severities to channels.
func route(m *maker) *Schema {
	s := &Schema{Type: orNull("object"), Properties: map[string]*Schema{"quiet": m.of(reflect.TypeFor[rulesfile.Quiet](), reflect.Value{})}, Others: false}
	s.Properties["quiet"].Description = "When alerts of some severities go elsewhere, or to nobody."
	for _, severity := range severities() {
		list := listOf(text())
		list.Description = "The channels that get alerts with this severity."
		s.Properties[severity.(string)] = list
	}
	return s
}

func field() *Schema {
	label := &Schema{Type: "object", Others: text(), MinKeys: 1, MaxKeys: 1}
	return &Schema{AnyOf: []*Schema{text(), label}}
}

func calendars() *Schema {
	list := func(s *Schema, description string) *Schema {
		s = listOf(s)
		s.AnyOf[1].MinItems, s.Description = 1, description
		return s
	}
	day := `([sS][uU][nN]|[mM][oO][nN]|[tT][uU][eE]|[wW][eE][dD]|[tT][hH][uU]|[fF][rR][iI]|[sS][aA][tT])`
	days := example(&Schema{Type: "string", Pattern: `^ *` + day + ` *(- *` + day + ` *)?$`}, "mon-fri", "sat")
	times := example(&Schema{Type: "string", Pattern: `^ *([01]?[0-9]|2[0-3]):[0-5][0-9] *- *([01]?[0-9]|2[0-4]):[0-5][0-9] *$`}, "17:00-06:30")
	dates := func() *Schema {
		return example(&Schema{Type: "string", Pattern: `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}, "2026-12-25")
	}
	part := &Schema{Type: "object", Others: false, Properties: map[string]*Schema{
		"times":    list(times, "From when to when, in the time zone; over midnight if the end is earlier."),
		"days":     list(days, "The days on which the times begin; default: every day."),
		"dates":    list(dates(), "Only these dates."),
		"except":   list(dates(), "Not on these dates."),
		"timezone": zone(),
	}}
	part.Properties["timezone"].Description = "An IANA name; default: the timezone of the file."
	return &Schema{AnyOf: []*Schema{part, {Type: "array", Items: part, MinItems: 1}}}
}
