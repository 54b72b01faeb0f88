package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
)

// right is one that a command needs where brokers ask for rights.
type right struct {
	operation string // as kafka-acls names it
	resource  string // Topic, Group or Cluster
	name      string // SOURCES: the three; GROUP: the group's name; GROUP.: what begins with it and a dot
	prefixed  bool
}

func (r right) String() string {
	var name string
	switch {
	case r.name == "SOURCES":
		name = "the source topics"
	case r.prefixed:
		name = fmt.Sprintf("what begins with %s (%ss)", r.name, strings.ToLower(r.resource))
	case r.resource != "Topic":
		name = strings.ToLower(r.resource) + " " + r.name
	default:
		name = "topic " + r.name
	}
	return r.operation + " on " + name
}

// rights are the least that each command needs, by the command without its
// flags. docs/security.md has the same list, and tests on a real broker hold it.
var rights = map[string][]right{
	"run": {
		{"Read", "Topic", "SOURCES", false},
		{"Read", "Topic", "GROUP.", true},
		{"Write", "Topic", "GROUP.", true},
		{"Read", "Group", "GROUP", false},
		{"Read", "Group", "GROUP.outbox", false},
	},
	"topics check":  {{"Describe", "Topic", "SOURCES", false}, {"Describe", "Topic", "GROUP.", true}},
	"topics create": {{"Create", "Topic", "SOURCES", false}, {"Describe", "Topic", "SOURCES", false}, {"Create", "Topic", "GROUP.", true}, {"Describe", "Topic", "GROUP.", true}},
	"produce":       {{"Write", "Topic", "SOURCES", false}},
	"dlq list":      reading,
	"dlq show":      reading,
	"dlq stats":     reading,
	"dlq watch":     reading,
	"dlq export":    reading,
	"dlq replay":    append(reading, right{"Write", "Topic", "GROUP.replay", false}),
	"dlq discard":   append(reading, right{"Write", "Topic", "GROUP.dlq.", true}),
	"dlq import":    append(reading, right{"Write", "Topic", "GROUP.dlq.", true}),
	"channels move": {
		{"Describe", "Topic", "GROUP.outbox.", true},
		{"Read", "Topic", "GROUP.replay", false},
		{"Write", "Topic", "GROUP.replay", false},
		{"Describe", "Group", "GROUP", false},
		{"Describe", "Group", "GROUP.outbox", false},
	},
}

// creating is what 'run --create-topics' needs besides.
var creating = right{"Create", "Topic", "GROUP.", true}

// reading is what reading dead letters needs: which of them wait is in the
// replay topic, above the group's offset.
var reading = []right{{"Read", "Topic", "GROUP.dlq.", true}, {"Read", "Topic", "GROUP.replay", false}, {"Describe", "Group", "GROUP", false}}

// rightsOf names the rights of a command; empty when none are known.
func rightsOf(cmd *cobra.Command, group string) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	var list []string
	for _, r := range rights[name] {
		if r.name != "SOURCES" {
			r.name = strings.Replace(r.name, "GROUP", group, 1)
		}
		list = append(list, r.String())
	}
	return strings.Join(list, ", ")
}

// isDenied reports whether brokers have refused a right.
func isDenied(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}
