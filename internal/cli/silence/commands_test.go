package silence_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/silence"
	"github.com/algotrade/notifier/internal/state"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func command(t testing.TB, c *testkafka.Cluster, line string, more ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(cli.Run).On(t, c, append(strings.Fields(line), more...)...)
}

// traded is a cluster whose delivery log has 20 alerts, each in two channels: 4 rejections
// of A7, one of them critical, 6 of A8, and 10 fills.
func traded(t *testing.T) *testkafka.Cluster {
	t.Helper()
	c := testkafka.Start(t, nil)
	w := deliverylog.NewWriter(deliverylog.Params{Client: c.Client(deliverylog.Options()...), Group: c.Group, ClientID: "notifier", Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	for i := range 20 {
		a := &alert.Alert{ID: fmt.Sprintf("al_%02d%s", i, strings.Repeat("a", 24)), Rule: "order-rejected", Severity: alert.Warning, Key: []string{"A8"}, KeyNames: []string{"account_id"}, EventTime: time.Now()}
		switch {
		case i < 4:
			a.Key[0] = "A7"
		case i >= 10:
			a.Rule = "large-fill"
		}
		if i == 0 {
			a.Severity = alert.Critical
		}
		for _, channel := range []string{"desk-slack", "desk-mail"} {
			r := deliverylog.New(&envelope.Envelope{Source: envelope.Source{Topic: "trade-executions"}, Delivery: alert.NewDelivery(a.ID, channel), Channel: channel, Alert: a})
			r.Decision, r.Received = deliverylog.Delivered, time.Now()
			kept := make(chan error, 1)
			w.Keep(r, func(err error) { kept <- err })
			if err := <-kept; err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func writeState(t *testing.T, c *testkafka.Cluster, records ...state.Record) {
	t.Helper()
	cl := c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...)
	s := state.New(state.Params{Client: cl, Log: dlq.NewLog(cl), Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
	if err := s.Write(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

func TestAddShowsWhatItWouldHaveSilenced(t *testing.T) {
	c := traded(t)
	for args, want := range map[string]string{
		"rule=order-rejected account=A8":            "matches 6 of 20 alerts of the last 24 h, 0 of them critical\n        6  order-rejected\n",
		"rule=* account=A7 severity!=critical":      "matches 3 of 20 alerts of the last 24 h, 0 of them critical\n        3  order-rejected\n",
		"account=A8 channel=desk-mail":              "matches 16 of 20 alerts of the last 24 h, 0 of them critical\n       10  large-fill\n        6  order-rejected\n",
		"rule=order-rejected account=A7 --critical": "matches 4 of 20 alerts of the last 24 h, 1 of them critical\n        4  order-rejected\n",
		"rule=order-rejected acount=A7":             "matches 0 of 20 alerts of the last 24 h, 0 of them critical\nwarning: no alert of the last 24 h has acount: did you mean account?\n",
		"rule=order-rejectd account=A9 rule!=x":     "matches 0 of 20 alerts of the last 24 h, 0 of them critical\nwarning: no alert of the last 24 h has rule=order-rejectd: did you mean order-rejected?\nwarning: no alert of the last 24 h has account=A9\n",
	} {
		a := command(t, c, "silence add "+args+" --for 2h --dry-run", "-m", "CHG-112").Want(t, base.ExitDone)
		if a.Err != want+"dry run: nothing was done\n" || a.Out != "" {
			t.Errorf("%s: %q, %q, want %q", args, a.Out, a.Err, want)
		}
	}
	command(t, c, "silence add account=A7 --for 2h -m CHG-112").
		Want(t, base.ExitFailed, "not silenced: 1 alert would have been critical; --critical silences it too, severity!=critical only the others")
	command(t, c, "silence list").Want(t, base.ExitDone, "nothing is silenced")
}

func TestIncompleteSilenceIsMisuse(t *testing.T) {
	c := testkafka.Start(t, nil)
	for args, want := range map[string]string{
		"rule=x --for 2h":                          `a comment is required, such as -m "venue migration"`,
		"rule=x -m x":                              "write when it ends: --for 2h or --until 18:30",
		"rule=x -m x --for 8d":                     "a silence lasts at most 7 days: for times that come again, give a route quiet hours",
		"rule=x -m x --for 2h --until 18:30":       "write when it ends: --for 2h or --until 18:30",
		"rule=x -m x --until noon":                 `--until "noon": write a time such as 18:30`,
		"rule=x -m x --until 2026-11-23T18:30:00Z": "the end has passed",
		"rule=* -m x --for 2h":                     "the conditions would silence everything",
		"order-rejected -m x --for 2h":             `"order-rejected" is no condition: write NAME=VALUE`,
		"-m x --for 2h":                            "no condition: name what is to be silenced",
	} {
		command(t, c, "silence add "+args).Want(t, base.ExitMisused, want)
	}
}

func TestSilencesAreListedAndExpired(t *testing.T) {
	c := traded(t)
	now := time.Now()
	old, err := silence.New([]silence.Matcher{{Name: "rule", Pattern: "x"}}, now.Add(-20*24*time.Hour), now.Add(-15*24*time.Hour), "ann", "of long ago", false)
	if err != nil {
		t.Fatal(err)
	}
	writeState(t, c, old.Record())
	added := command(t, c, "silence add rule=order-rejected account=A8 --for 2h -o json", "-m", "venue migration CHG-112").Want(t, base.ExitDone).Objects(t)[0]
	id := added["id"].(string)
	if preview := added["preview"].(map[string]any); preview["matching"] != 6.0 || preview["alerts"] != 20.0 || preview["critical"] != 0.0 {
		t.Errorf("the preview is %v", preview)
	}
	all := command(t, c, "silence list --all -o json").Want(t, base.ExitDone).Objects(t)
	if len(all) != 1 {
		t.Errorf("what ended 15 days ago is kept: %v", all)
	}
	for channel, n := range map[string]int{"desk-slack": 36, "desk-mail": 5} {
		writeState(t, c, state.Record{Kind: state.Suppressed, Channel: channel, Key: id + "/0", Value: fmt.Appendf(nil, `{"count":%d,"last":"2026-11-30T12:00:00Z"}`, n)})
	}
	command(t, c, "silence list").Want(t, base.ExitDone, id, "\n              rule=order-rejected account=A8\n", " 41 ", "30 Nov 12:00", "venue migration CHG-112")
	command(t, c, "silence expire "+id[:6]).Want(t, base.ExitDone, id+" expired, 41 suppressed")
	command(t, c, "silence expire "+id).Want(t, base.ExitFailed, "silence "+id+" has ended at ")
	command(t, c, "silence expire sil_zz").Want(t, base.ExitFailed, "there is no silence sil_zz")
	command(t, c, "silence expire").Want(t, base.ExitMisused, "takes the ids of silences")
	command(t, c, "silence list").Want(t, base.ExitDone, "nothing is silenced; what has ended: ")
	ended := command(t, c, "silence list --all -o json").Want(t, base.ExitDone).Objects(t)
	if len(ended) != 1 || ended[0]["active"] != false || ended[0]["expired_by"] == "" || fmt.Sprint(ended[0]["channels"]) != "map[desk-mail:5 desk-slack:36]" {
		t.Errorf("the list has %v", ended)
	}
}

func TestMissingTopicsAreNamed(t *testing.T) {
	c := testkafka.Start(t, nil)
	c.Delete(topics.Deliveries(c.Group))
	command(t, c, "silence add rule=x --for 1h -m x").Want(t, base.ExitDone, "there is no delivery log: what it would have kept from being sent is not known")
	c.Delete(topics.State(c.Group))
	command(t, c, "silence list").Want(t, base.ExitFailed, "topic "+topics.State(c.Group)+" is missing: run 'notifier --brokers "+strings.Join(c.Brokers, ",")+" --group "+c.Group+" topics create'")
}
