package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/dlq"
)

// plan prints what a command is about to work on, one line per group.
func printGroups(g *globals, groups []*dlq.Group) {
	const most = 20
	t := table{head: []string{"COUNT", "REASON", "CAUSE", "CHANNEL", "RULE", "FINGERPRINT"}, elastic: []int{4, 3, 2}}
	rest := 0
	for i, group := range groups {
		if i >= most && len(groups) > most+1 {
			rest += group.Count
			continue
		}
		t.add(humanize.Comma(int64(group.Count)), reasonOf(group), orDash(string(group.Cause)), orDash(group.Channel), orDash(group.Rule), group.Fingerprint)
	}
	t.write(g.io.err, g.width())
	if rest > 0 {
		fmt.Fprintf(g.io.err, "and %s in %s more\n", many(int64(rest), "dead letter"), count(len(groups)-most, "group"))
	}
}

// reasonOf is why a group failed, as a column of a table.
func reasonOf(group *dlq.Group) string {
	if group.Reason == "" {
		return string(dlq.Malformed)
	}
	return string(group.Reason)
}
