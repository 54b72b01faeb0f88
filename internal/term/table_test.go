package term_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/term"
)

func TestNarrowTableLeavesOutOptionalColumns(t *testing.T) {
	for width, want := range map[int]string{
		80: "ID       REASON            CAUSE            RULE                     CHANNEL\n" +
			"dl_1234  no-longer-routed  payload-refused  a-rule-with-a-long-name  risk-hook\n",
		60: "ID       CAUSE            RULE                     CHANNEL\n" +
			"dl_1234  payload-refused  a-rule-with-a-long-name  risk-hook\n",
		51: "ID       CAUSE            RULE            CHANNEL\n" +
			"dl_1234  payload-refused  a-rule-with-a…  risk-hook\n",
		34: "ID       RULE            CHANNEL\n" +
			"dl_1234  a-rule-with-a…  risk-hook\n",
		28: "ID       RULE      CHANNEL\n" +
			"dl_1234  a-rule-…  risk-hook\n",
	} {
		table := term.Table{Head: []string{"ID", "REASON", "CAUSE", "RULE", "CHANNEL"}, Elastic: []int{3, 4}, Optional: []int{1, 2}}
		table.Add("dl_1234", "no-longer-routed", "payload-refused", "a-rule-with-a-long-name", "risk-hook")
		var out bytes.Buffer
		table.Write(&out, width)
		if out.String() != want {
			t.Errorf("%d columns: got\n%s\nwant\n%s", width, out.String(), want)
		}
		for line := range strings.Lines(out.String()) {
			if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%d columns: a line has %d", width, n)
			}
		}
	}
}

func TestTableKeepsRoomForTheSource(t *testing.T) {
	table := term.Table{Head: []string{"ID", "SOURCE", "KEY", "CAUSE"}, Elastic: []int{1, 2}, Optional: []int{2, 1}, Source: 1}
	table.Add("dl_1234", "trade-executions/11@98765432101", "session-0123456789", "truncated")
	for width := 27; width < 80; width++ {
		table := table
		var out bytes.Buffer
		table.Write(&out, width)
		for line := range strings.Lines(out.String()) {
			if n := uniseg.StringWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("%d columns: a line has %d: %s", width, n, line)
			}
		}
	}
}
