package silence

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
)

// Matcher is a condition on one value of an alert: NAME=PATTERN or NAME!=PATTERN, with *
// for any characters.
type Matcher struct {
	Name    string
	Not     bool
	Pattern string
}

// reserved are the names of what every alert has. All other names are those of parts of its
// key and of its fields.
var reserved = []string{"rule", "severity", "channel", "topic", "type", "key", "group"}

// ParseMatcher reads a matcher.
func ParseMatcher(text string) (Matcher, error) {
	name, pattern, found := strings.Cut(text, "=")
	name, not := strings.CutSuffix(name, "!")
	m := Matcher{Name: strings.TrimSpace(name), Not: not, Pattern: pattern}
	switch {
	case !found:
		return m, fmt.Errorf("%q is no condition: write NAME=VALUE, such as rule=order-rejected", text)
	case m.Name == "":
		return m, fmt.Errorf("%q names nothing before the =: write NAME=VALUE", text)
	case m.Pattern == "":
		return m, fmt.Errorf("%q has no value: write %s=VALUE, or %[2]s=* for any", text, m.Name)
	case m.Name == "severity" && !slices.ContainsFunc(alert.Severities(), func(s alert.Severity) bool { return glob(m.Pattern, string(s)) }):
		return m, fmt.Errorf("%q matches no severity: choose from info, warning, critical", text)
	}
	return m, nil
}

// String returns the matcher as it is written.
func (m Matcher) String() string {
	if m.Not {
		return m.Name + "!=" + m.Pattern
	}
	return m.Name + "=" + m.Pattern
}

// selective reports whether the matcher leaves out alerts by what they must have.
func (m Matcher) selective() bool { return !m.Not && strings.Trim(m.Pattern, "*") != "" }

// Matches reports whether an alert in a channel fulfils the condition. What it does not
// have is never equal.
func (m Matcher) Matches(channel string, a *alert.Alert) bool {
	for value := range m.Values(channel, a) {
		if glob(m.Pattern, value) {
			return !m.Not
		}
	}
	return m.Not
}

// Values iterates over the values that the matcher's name has in an alert.
func (m Matcher) Values(channel string, a *alert.Alert) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch m.Name {
		case "rule":
			yield(a.Rule)
		case "severity":
			yield(string(a.Severity))
		case "channel":
			yield(channel)
		case "topic":
			yield(a.Topic)
		case "type":
			yield(a.EventType)
		case "key":
			wholeAndParts(a.Key, yield)
		case "group":
			wholeAndParts(a.GroupParts(), yield)
		default:
			m.named(a, yield)
		}
	}
}

// wholeAndParts yields the parts joined with "/", then each of several parts.
func wholeAndParts(parts []string, yield func(string) bool) {
	if !yield(strings.Join(parts, "/")) || len(parts) < 2 {
		return
	}
	for _, part := range parts {
		if !yield(part) {
			return
		}
	}
}

// named yields the parts of the key and the fields with the matcher's name.
func (m Matcher) named(a *alert.Alert, yield func(string) bool) {
	for i, name := range a.KeyNames {
		if i < len(a.Key) && m.means(name) && !yield(a.Key[i]) {
			return
		}
	}
	for _, f := range a.Fields {
		if m.means(f.Label) && !yield(f.Value.String()) {
			return
		}
	}
}

// means reports whether the matcher's name is that of a path or of a label. A name without
// dots means the last part of a path, with or without its _id, as the labels of fields do.
func (m Matcher) means(name string) bool {
	given := strings.TrimPrefix(m.Name, "event.")
	if name == "" || strings.Contains(given, ".") {
		return name == given && name != ""
	}
	return base(name) == base(given)
}

func base(name string) string {
	name = name[strings.LastIndexByte(name, '.')+1:]
	return strings.TrimSuffix(strings.ReplaceAll(name, " ", "_"), "_id")
}

// Names returns the names by which an alert can be matched, besides those that all have.
func Names(a *alert.Alert) []string {
	var names []string
	for _, name := range a.KeyNames {
		if name != "" {
			names = append(names, name)
		}
	}
	for _, f := range a.Fields {
		names = append(names, strings.ReplaceAll(f.Label, " ", "_"))
	}
	return names
}

// Reserved returns the names of what all alerts have.
func Reserved() []string { return slices.Clone(reserved) }

// glob reports whether a text matches a pattern in which * is any characters.
func glob(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, found := strings.CutPrefix(text, parts[0])
	if !found {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}
