package dlq

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/term"
)

// plan prints what a command is about to work on, one line per group.
func printGroups(g *base.Globals, groups []*dlq.Group) {
	const most = 20
	t := term.Table{Head: []string{"COUNT", "REASON", "CAUSE", "CHANNEL", "RULE", "FINGERPRINT"}, Elastic: []int{4, 3, 2}}
	rest := 0
	for i, group := range groups {
		if i >= most && len(groups) > most+1 {
			rest += group.Count
			continue
		}
		t.Add(humanize.Comma(int64(group.Count)), reasonOf(group), term.OrDash(string(group.Cause)), term.OrDash(group.Channel), term.OrDash(group.Rule), group.Fingerprint)
	}
	t.Write(g.IO.Err, g.Width())
	if rest > 0 {
		fmt.Fprintf(g.IO.Err, "and %s in %s more\n", term.Many(int64(rest), "dead letter"), term.Count(len(groups)-most, "group"))
	}
}

// reasonOf is why a group failed, as a column of a table.
func reasonOf(group *dlq.Group) string {
	if group.Reason == "" {
		return string(dlq.Malformed)
	}
	return string(group.Reason)
}
