package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func TestLagOfOurGroupsAndThoseConfigured(t *testing.T) {
	c, group := clitest.UnreadGroup(t)
	dir := files(t, c, "  desk: {console: {}}\nlag: {groups: ["+group+", nobody-at-all]}\n", fmt.Sprintf(every, "desk"))
	runLag := func() (out, errs string) {
		a := command(t, c, "lag", "-c", filepath.Join(dir, "notifier.yaml"))
		return a.Out, a.Err
	}
	out, errs := runLag()
	for _, want := range []string{"group " + c.Group + " does not exist: no notifier has run in it", "group nobody-at-all of lag.groups does not exist"} {
		if !strings.Contains(errs, want) {
			t.Errorf("got no %q but\n%s", want, errs)
		}
	}
	if !strings.Contains(out, group) || strings.Contains(out, c.Group+" ") {
		t.Errorf("before a notifier has run it shows\n%s", out)
	}
	d := start(t, dir)
	testkafka.Eventually(t, 20*time.Second, "lag shows both groups and what they read", func() bool {
		out, errs = runLag()
		for _, want := range []string{c.Group + " ", topics.OutboxGroup(c.Group), topics.Outbox(c.Group, "desk"), topics.Replay(c.Group), "trade-executions", group} {
			if !c.Real() && !strings.Contains(out, want) { // a real cluster's group has too long a name
				return false
			}
		}
		return strings.Count(errs, "does not exist") == 1
	})
	for line := range strings.Lines(out) {
		if w := uniseg.StringWidth(line); w > 101 {
			t.Errorf("a line is %d columns wide: %s", w, line)
		}
	}
	// The daemon measures the same.
	want := fmt.Sprintf(`notifier_consumer_lag_records{group=%q,partition="0",topic="trade-executions"}`, group)
	testkafka.Eventually(t, 20*time.Second, "the daemon has looked", func() bool { return d.metric(want) == "3" })
}
