package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// right is an ACL that a command needs.
type right struct {
	operation string // as kafka-acls names it
	resource  string // Topic, Group or Cluster
	name      string // SOURCES: the source topics; GROUP: the group's name
	prefixed  bool
}

func (r right) String() string {
	var name string
	switch {
	case r.name == "SOURCES":
		name = "the source topics"
	case r.prefixed:
		name = fmt.Sprintf("%ss prefixed %s", strings.ToLower(r.resource), r.name)
	case r.resource != "Topic":
		name = strings.ToLower(r.resource) + " " + r.name
	default:
		name = "topic " + r.name
	}
	return r.operation + " on " + name
}

// rights are the minimal rights of each command. docs/security.md has the same
// list, and tests on a real broker check it.
var rights = map[string][]right{
	"run": {
		{"Read", "Topic", "SOURCES", false},
		{"Read", "Topic", "GROUP.", true},
		{"Write", "Topic", "GROUP.", true},
		{"Read", "Group", "GROUP", false},
		{"Read", "Group", "GROUP.outbox", false},
	},
	"topics check":   {{"Describe", "Topic", "SOURCES", false}, {"Describe", "Topic", "GROUP.", true}},
	"topics create":  {{"Create", "Topic", "SOURCES", false}, {"Describe", "Topic", "SOURCES", false}, {"Create", "Topic", "GROUP.", true}, {"Describe", "Topic", "GROUP.", true}},
	"produce":        {{"Write", "Topic", "SOURCES", false}},
	"samples add":    {{"Read", "Topic", "SOURCES", false}},
	"rules backtest": {{"Read", "Topic", "SOURCES", false}},
	"rules explain": {
		{"Read", "Topic", "SOURCES", false},
		{"Read", "Topic", "GROUP.deliveries", false},
		{"Read", "Topic", "GROUP.state", false},
		{"Read", "Topic", "GROUP.dlq.", true},
		{"Describe", "Group", "GROUP", false},
	},
	"dlq list":    reading,
	"dlq show":    reading,
	"dlq stats":   reading,
	"dlq watch":   reading,
	"dlq export":  reading,
	"dlq replay":  append(reading, right{"Write", "Topic", "GROUP.replay", false}),
	"dlq discard": append(reading, right{"Write", "Topic", "GROUP.dlq.", true}),
	"dlq import":  append(reading, right{"Write", "Topic", "GROUP.dlq.", true}),
	"alerts list": {{"Read", "Topic", "GROUP.deliveries", false}},
	"alerts show": {{"Read", "Topic", "GROUP.deliveries", false}},
	"alerts tail": {{"Read", "Topic", "GROUP.deliveries", false}},
	"alerts resend": {
		{"Read", "Topic", "GROUP.deliveries", false},
		{"Read", "Topic", "GROUP.outbox.", true},
		{"Write", "Topic", "GROUP.replay", false},
	},
	"silence add": {
		{"Read", "Topic", "GROUP.state", false},
		{"Write", "Topic", "GROUP.state", false},
		{"Read", "Topic", "GROUP.deliveries", false},
	},
	"silence list":     {{"Read", "Topic", "GROUP.state", false}},
	"silence expire":   {{"Read", "Topic", "GROUP.state", false}, {"Write", "Topic", "GROUP.state", false}},
	"channels preview": {{"Read", "Topic", "SOURCES", false}}, // for --event TOPIC/PARTITION@OFFSET
	"channels move": {
		{"Describe", "Topic", "GROUP.outbox.", true},
		{"Read", "Topic", "GROUP.replay", false},
		{"Write", "Topic", "GROUP.replay", false},
		{"Describe", "Group", "GROUP", false},
		{"Describe", "Group", "GROUP.outbox", false},
	},
}

// creating is the additional right of 'run --create-topics'.
var creating = right{"Create", "Topic", "GROUP.", true}

// reading are the rights for reading dead letters. Their state also depends on the
// replay topic and the group's offset.
var reading = []right{{"Read", "Topic", "GROUP.dlq.", true}, {"Read", "Topic", "GROUP.replay", false}, {"Describe", "Group", "GROUP", false}}

// rightsOf lists the rights of a command; empty: unknown.
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
