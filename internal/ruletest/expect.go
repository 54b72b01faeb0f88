package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/yamldoc"
)

// Expected is an alert. What is not given may be anything.
type Expected struct {
	// Rule is the name of the rule that raises the alert.
	Rule string `yaml:"rule"`
	// Severity of the alert.
	Severity string `yaml:"severity"`
	// State is one of firing (the default) and resolved.
	State string `yaml:"state"`
	// Key is the alert key: its parts, or one text with slashes between them.
	Key key `yaml:"key"`
	// To are the channels of the alert, with those in which quiet hours drop it.
	To []string `yaml:"to"`
	// Channels are the channels of the alert, without those in which quiet hours drop it.
	Channels []string `yaml:"channels"`
	// Title of the alert.
	Title *string `yaml:"title"`
	// Text of the alert.
	Text *string `yaml:"text"`
	// Fields of the alert, by label.
	Fields map[string]string `yaml:"fields"`

	at yamldoc.Cursor
}

const firing = "firing"

// state returns the state of the alert.
func (e *Expected) state() alert.State {
	if e.State == firing {
		return alert.Firing
	}
	return alert.State(e.State)
}

// CheckYAML implements yamldoc.Checker.
func (e *Expected) CheckYAML(at yamldoc.Cursor) {
	e.at = at
	if !at.IsMapping() && !at.IsNull() {
		return
	}
	if e.Rule == "" {
		at.Field("rule").Fault("is missing")
	}
	if at.Has("severity") && alert.Severity(e.Severity).Rank() == 0 {
		at.Field("severity").Fault("%q is not one of info, warning and critical", e.Severity)
	}
	if e.State != "" && e.State != firing && e.State != string(alert.Resolved) {
		at.Field("state").Fault("%q is neither firing nor resolved", e.State)
	}
}

// differences returns how an alert differs from the expected one.
func (x *Expected) differences(a *alert.Alert) (differences []string) {
	for _, name := range []string{"severity", "key", "to", "channels", "title", "text", "fields"} {
		differences = append(differences, x.differencesOf(name, a)...)
	}
	return differences
}

// differencesOf returns how one key of an alert differs.
func (x *Expected) differencesOf(name string, a *alert.Alert) (differences []string) {
	differ := func(what, got, want string) {
		if got != want {
			differences = append(differences, fmt.Sprintf("%s: %s is %s, expected %s", x.Rule, what, got, want))
		}
	}
	switch {
	case name == "severity" && x.Severity != "":
		differ(name, string(a.Severity), x.Severity)
	case name == "key" && x.Key.parts != nil:
		differ(name, list(a.Key), list(x.Key.parts))
	case name == "key" && x.Key.given:
		differ(name, a.KeyText(), x.Key.text)
	case name == "to" && x.To != nil:
		differ(name, list(slices.Sorted(slices.Values(a.Channels))), list(slices.Sorted(slices.Values(x.To))))
	case name == "channels" && x.Channels != nil:
		got, want := list(told(a)), list(slices.Sorted(slices.Values(x.Channels)))
		if got != want {
			got += quiet(a)
		}
		differ(name, got, want)
	case name == "title" && x.Title != nil:
		differ(name, strconv.Quote(a.Title.String()), strconv.Quote(*x.Title))
	case name == "text" && x.Text != nil:
		differ(name, strconv.Quote(a.Text.String()), strconv.Quote(*x.Text))
	case name == "fields":
		fields := fieldsOf(a)
		for _, label := range slices.Sorted(maps.Keys(x.Fields)) {
			got := "missing"
			if text, ok := fields[label]; ok {
				got = strconv.Quote(text)
			}
			differ("field "+label, got, strconv.Quote(x.Fields[label]))
		}
	}
	return differences
}

// fieldsOf returns the fields of an alert by label.
func fieldsOf(a *alert.Alert) map[string]string {
	fields := make(map[string]string)
	for _, f := range a.Fields {
		fields[f.Label] = f.Value.String()
	}
	return fields
}

func list(parts []string) string { return "[" + strings.Join(parts, ", ") + "]" }

// quiet names the quiet hours that drop an alert: " in the quiet hours overnight"; empty: none.
func quiet(a *alert.Alert) string {
	for _, c := range slices.Sorted(slices.Values(a.Channels)) {
		if name := a.In(c).Quiet; name != "" {
			return " in the quiet hours " + name
		}
	}
	return ""
}

// told returns the channels in which an alert is sent: it is dropped in those that are quiet.
func told(a *alert.Alert) []string {
	var channels []string
	for _, c := range slices.Sorted(slices.Values(a.Channels)) {
		if a.In(c).Quiet == "" {
			channels = append(channels, c)
		}
	}
	return channels
}

// written returns an alert as a test expects it.
func written(a *alert.Alert) string {
	quotedParts := make([]string, len(a.Key))
	for i, part := range a.Key {
		quotedParts[i] = strconv.Quote(part)
	}
	to := "to: " + list(a.Channels)
	if len(a.QuietIn) > 0 {
		to += ", channels: " + list(told(a))
	}
	return fmt.Sprintf("{rule: %s, severity: %s, key: %s, %s, title: %s}",
		a.Rule, a.Severity, list(quotedParts), to, strconv.Quote(a.Title.String()))
}
