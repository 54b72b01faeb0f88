package dlq_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

func always(a act) func(replay.Request) act { return func(replay.Request) act { return a } }

// requested returns how many requests stand in the replay topic.
func requested(t *testing.T, c *testkafka.Cluster) int64 {
	t.Helper()
	ends, err := c.Admin.ListEndOffsets(t.Context(), topics.Replay(c.Group))
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topics.Replay(c.Group), 0)
	return end.Offset
}

func TestReplayWaitsAndAccountsForEveryEntry(t *testing.T) {
	c := lettered(t, append(letterRange(6), unread(7))...)
	d := daemonDoes(t, c, func(q replay.Request) act {
		switch q.Entry {
		case "dl_0003":
			return fails("HTTP 400: something new")
		case "dl_0004":
			return discards
		case "dl_0005":
			return drops
		}
		return resolves
	})
	got := runReplay(t, c, "--all", "--wait", "--yes", "-m", "the receiver is fixed")
	got.has(t, base.ExitFailed, "7 sent: 4 resolved, 1 reopened, 1 discarded in the meantime, 1 dropped by the notifier",
		"dlq show dl_0003", "dlq list --state open", "dlq show dl_0005", "dl_0003 failed again with a new cause", "HTTP 400: something new",
		"no notifier is running in group "+c.Group, "6 messages to channel risk-hook", "1 is matched against the rules")
	for i, q := range d.requests() {
		if q.Comment != "the receiver is fixed" || q.Total != 7 || !strings.HasPrefix(q.Run, "rp_") || q.By != base.User() || i < 6 && q.Channel != "risk-hook" {
			t.Errorf("%+v", q)
		}
	}
}

func TestSuccessfulReplayExitsZero(t *testing.T) {
	c := lettered(t, letterRange(3)...)
	daemonDoes(t, c, always(resolves))
	got := runReplay(t, c, "--reason", "refused", "--wait", "--yes")
	got.has(t, base.ExitDone, "3 sent: 3 resolved")
	if strings.Contains(got.out, "dlq list") {
		t.Errorf("nothing is left to look at:\n%s", got)
	}
	runReplay(t, c, "--all", "--yes").has(t, base.ExitFailed, "nothing to replay")
}

func TestReplayWithoutWaitSuggestsCommands(t *testing.T) {
	c := lettered(t, letterRange(3)...)
	got := runReplay(t, c, "--all", "--yes")
	got.has(t, base.ExitDone, "3 sent\n", "dlq list --state waiting", "dlq stats")
	if n := requested(t, c); n != 3 {
		t.Errorf("%d requests", n)
	}
	runReplay(t, c, "--all", "--yes").has(t, base.ExitFailed, "nothing to replay", "3 wait already")
	if n := requested(t, c); n != 3 {
		t.Errorf("%d requests after the second run", n)
	}
	if err := deadWriter(c).Write(t.Context(), letter(9, "HTTP 422: no")); err != nil {
		t.Fatal(err)
	}
	runReplay(t, c, "--all", "--yes").has(t, base.ExitDone, "1 dead letter to replay", "3 wait already", "1 sent\n")
}

func TestReplayStopsWhenAKnownCauseFailsAgain(t *testing.T) {
	c := lettered(t, letterRange(200)...)
	d := daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0002" {
			return fails("HTTP 422: no")
		}
		return resolves
	})
	got := runReplay(t, c, "--all", "--yes", "--rate", "40/s", "--wait")
	got.has(t, base.ExitFailed, "stopped: dl_0002 failed again", "HTTP 422: no", "of 200 were not requested")
	if n := len(d.requests()); n >= 200 || n < 3 {
		t.Errorf("%d requests", n)
	}
	for _, q := range d.requests() {
		if q.Entry == "dl_0002" && q.Version != 2 {
			t.Errorf("what failed again during the run is sent again in it: %+v", q)
		}
	}
}

func TestACanaryStopsTheRun(t *testing.T) {
	c := lettered(t, letterRange(20)...)
	d := daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0001" {
			return fails("HTTP 422: no")
		}
		return resolves
	})
	runReplay(t, c, "--all", "--yes", "--canary", "3").has(t, base.ExitFailed,
		"3 sent: 2 resolved, 1 reopened; 17 not sent", "stopped: dl_0001 failed again", "17 of 20 were not requested")
	if n := len(d.requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestCanaryWithNewCauseStopsRun(t *testing.T) {
	all := letterRange(16)
	for i, e := range all { // as with one address that is refused for many rules
		e.Envelope.Alert.Rule = fmt.Sprint("rule-", i)
	}
	c := lettered(t, all...)
	d := daemonDoes(t, c, always(fails("HTTP 400: something new")))
	runReplay(t, c, "--all", "--yes", "--canary", "5", "--wait").has(t, base.ExitFailed,
		"5 sent: 5 reopened; 11 not sent", "stopped: dl_0000 failed again", "HTTP 400: something new", "11 of 16 were not requested")
	if n := len(d.requests()); n != 5 {
		t.Errorf("%d requests", n)
	}
}

func TestSecondFailureWithNewCauseStopsRun(t *testing.T) {
	c := lettered(t, letterRange(200)...)
	d := daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0006" || q.Entry == "dl_0009" {
			return fails("HTTP 400: something new")
		}
		return resolves
	})
	runReplay(t, c, "--all", "--yes", "--canary", "2", "--wait").has(t, base.ExitFailed,
		"dl_0006 failed again with a new cause", "stopped: dl_0009 failed again", "10 sent: 8 resolved, 2 reopened; 190 not sent")
	if n := len(d.requests()); n != 10 { // 2 and 8
		t.Errorf("%d requests", n)
	}
}

func TestReplayWithOneNewCauseContinues(t *testing.T) {
	c := lettered(t, letterRange(20)...)
	daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0006" {
			return fails("HTTP 400: something new")
		}
		return resolves
	})
	runReplay(t, c, "--all", "--yes", "--canary", "3", "--wait").has(t, base.ExitFailed, "20 sent: 19 resolved, 1 reopened", "dl_0006 failed again with a new cause")
}

func TestReplayWaitsForCanary(t *testing.T) {
	c := lettered(t, letterRange(10)...)
	var early int64
	d := daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0001" { // the second of two
			early = requested(t, c)
		}
		return resolves
	})
	runReplay(t, c, "--all", "--yes", "--canary", "2", "--wait").has(t, base.ExitDone, "10 sent: 10 resolved")
	if early != 2 || len(d.requests()) != 10 {
		t.Errorf("%d requests before the canary was through, %d in all", early, len(d.requests()))
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	c := lettered(t, append(letterRange(3), unread(4))...)
	got := runReplay(t, c, "--all", "--dry-run", "--rate", "2/s")
	got.has(t, base.ExitDone, "4 dead letters to replay", "payload-refused", "truncated", "HTTP 422: no", "takes     2s at 2/s")
	got = runReplay(t, c, "--all", "--dry-run", "-o", "json")
	var plan struct {
		Total        int
		Groups       []struct{ Count int }
		Destinations []struct {
			Channel string
			Rules   bool
			Count   int
		}
		LeftOut map[string]int `json:"skipped"`
	}
	if err := json.Unmarshal([]byte(got.out), &plan); err != nil || plan.Total != 4 || len(plan.Groups) != 2 || plan.Groups[0].Count != 3 || len(plan.Destinations) != 2 {
		t.Errorf("%v %+v\n%s", err, plan, got)
	}
	if n := requested(t, c); n != 0 {
		t.Errorf("%d requests", n)
	}
	untouched(t, c)
}

// untouched holds that nobody has joined the group or committed in it.
func untouched(t *testing.T, c *testkafka.Cluster) {
	t.Helper()
	offsets, err := c.Admin.FetchOffsets(t.Context(), c.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		t.Fatal(err)
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			t.Errorf("%s/%d is committed at %d", o.Topic, o.Partition, o.At)
		}
	})
	if groups, err := c.Admin.DescribeGroups(t.Context(), c.Group); err == nil && len(groups[c.Group].Members) > 0 {
		t.Errorf("the group has members: %v", groups[c.Group].Members)
	}
}

func TestReplayNeverCommitsOrJoins(t *testing.T) {
	c := lettered(t, letterRange(3)...)
	runReplay(t, c, "--all", "--yes", "--rate", "100/s").has(t, base.ExitDone)
	untouched(t, c)
}

func TestReplayByIDs(t *testing.T) {
	c := lettered(t, append(letterRange(12), unread(1))...)
	runReplay(t, c, "dl_0003", "re_", "--yes").has(t, base.ExitDone, "2 sent")
	runReplay(t, c, "dl_0003", "--yes").has(t, base.ExitFailed, "nothing to replay", "1 waits already")
	runReplay(t, c, "dl_9", "--yes").has(t, base.ExitFailed, "no dead letter dl_9")
	runReplay(t, c, "dl_000", "--yes").has(t, base.ExitFailed, "dl_000 begins the ids of 10 dead letters")
	if n := requested(t, c); n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestReplayRejectsInvalidArguments(t *testing.T) {
	c := lettered(t, letterRange(2)...)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "nothing selected to replay"},
		{[]string{"--yes"}, "nothing selected to replay"},
		{[]string{"--all"}, "cannot ask for confirmation"},
		{[]string{"--all", "--yes", "--payload", "f"}, "--payload replaces the value of one dead letter"},
		{[]string{"--all", "--yes", "--rate", "5"}, "not a rate: write it as 1/s"},
		{[]string{"--all", "--yes", "--canary", "-1"}, "--canary -1"},
		{[]string{"--all", "--yes", "--reason", "nonsense"}, "--reason"},
	} {
		runReplay(t, c, tt.args...).has(t, base.ExitMisused, tt.want)
	}
	if n := requested(t, c); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestTheChannelOfAReplayMustBeConfigured(t *testing.T) {
	c := lettered(t, letterRange(1)...)
	config := filepath.Join(t.TempDir(), "notifier.yaml")
	if err := os.WriteFile(config, []byte("channels:\n  desk: {console: {}}\n  mail-desk: {console: {}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runReplay(t, c, "--all", "--yes", "--to", "mail-dsk", "-c", config).has(t, base.ExitMisused, "did you mean mail-desk?")
	runReplay(t, c, "--all", "--yes", "--to", "mail-desk", "-c", config).has(t, base.ExitDone, "1 message to channel mail-desk")
}

func TestReplayWithAPayload(t *testing.T) {
	c := lettered(t, letter(1, "HTTP 422: no"), unread(2))
	d := daemonDoes(t, c, always(resolves))
	bad, good := filepath.Join(t.TempDir(), "bad"), filepath.Join(t.TempDir(), "good")
	for file, text := range map[string]string{bad: `{"n":1,}`, good: `{"n":2}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runReplay(t, c, "re_0002", "--yes", "--payload", bad).has(t, base.ExitFailed, "is not an event: not JSON at byte 7", "--force")
	runReplay(t, c, "re_0002", "--yes", "--payload", bad+"x").has(t, base.ExitFailed, "cannot read", "no such file")
	if n := requested(t, c); n != 0 {
		t.Errorf("%d requests", n)
	}
	runReplay(t, c, "re_0002", "--yes", "--payload", good, "--wait").has(t, base.ExitDone, "1 sent: 1 resolved")
	replayUntil(t, c, t.Context(), `[1]`, "dl_0001", "--yes", "--force", "--payload", "-", "--wait").has(t, base.ExitDone, "1 sent: 1 resolved", "matched against the rule again")
	received := d.requests()
	if len(received) != 2 || string(received[0].Edited) != `{"n":2}` || received[0].Rematch || string(received[1].Edited) != `[1]` || !received[1].Rematch || !received[1].Force {
		t.Errorf("%+v", received)
	}
}

func TestInterruptedReplayReportsProgress(t *testing.T) {
	c := lettered(t, letterRange(4)...)
	ctx, cancel := context.WithCancelCause(t.Context())
	daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0003" {
			time.AfterFunc(500*time.Millisecond, func() { cancel(base.ErrSignal) }) // the outcomes before it have been seen by then
			return keeps
		}
		return resolves
	})
	replayUntil(t, c, ctx, "", "--all", "--yes", "--wait").has(t, base.ExitFailed,
		"4 sent: 3 resolved, 1 still waiting", "dlq list --state waiting", "stopped by a signal")
}

func TestReplayAccountAsJSON(t *testing.T) {
	c := lettered(t, letterRange(3)...)
	daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0001" {
			return fails("HTTP 422: no")
		}
		return resolves
	})
	got := runReplay(t, c, "--all", "--yes", "--wait", "-o", "json")
	var a struct {
		Run                               string
		Sent, Resolved, Reopened, Waiting int
		FirstReopened                     struct{ ID string } `json:"first_reopened"`
	}
	if err := json.Unmarshal([]byte(got.out), &a); err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	if a.Sent != 3 || a.Resolved != 2 || a.Reopened != 1 || a.Waiting != 0 || a.FirstReopened.ID != "dl_0001" || a.Run == "" || got.code != base.ExitFailed {
		t.Errorf("%+v\n%s", a, got)
	}
}

func TestReplaySkipsEntriesClosedDuringRun(t *testing.T) {
	c := lettered(t, letterRange(30)...)
	w := deadWriter(c)
	d := daemonDoes(t, c, func(q replay.Request) act {
		if q.Entry == "dl_0000" { // someone discards the last meanwhile
			_ = w.CloseEntries(t.Context(), &dlq.Closure{Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte("dl_0029"), Closing: dlq.Closing{State: dlq.Discarded, By: "bob", At: time.Now()}})
		}
		return resolves
	})
	runReplay(t, c, "--all", "--yes", "--rate", "20/s", "--wait").has(t, base.ExitDone, "29 sent: 29 resolved; 1 superseded: closed or failed again in the meantime")
	if slices.ContainsFunc(d.requests(), func(q replay.Request) bool { return q.Entry == "dl_0029" }) {
		t.Error("it was sent")
	}
}

func TestDeadLetterControlCharactersAreEscaped(t *testing.T) {
	const obeyed = "x\x1b[2J\x1b]0;x\a"
	shown, forged := letter(1, "x"), letter(2, "x")
	shown.Detail, shown.Envelope.Alert.EventID = obeyed, obeyed
	forged.Envelope.Channel, forged.Envelope.Alert.Rule = obeyed, obeyed // no names: it is malformed
	c := lettered(t, shown, forged)
	got := runReplay(t, c, "--all", "--yes")
	got.has(t, base.ExitDone, "1 sent", "1 is malformed")
	if strings.ContainsAny(got.out+got.err, "\x1b\a") {
		t.Errorf("%q", got.out+got.err)
	}
}

func TestReplayWithoutTopicHasRemedy(t *testing.T) {
	c := lettered(t, letterRange(1)...)
	c.Delete(topics.Replay(c.Group))
	runReplay(t, c, "--all", "--yes").has(t, base.ExitFailed, topics.Replay(c.Group), "run 'notifier --brokers ", " topics create'")
}

func TestReplayReportsSuspendedChannelAtOnce(t *testing.T) {
	var healthy atomic.Bool
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		state := `"state":"suspended","ok":false,"cause":"credentials: 401: check the headers"`
		if healthy.Load() {
			state = `"state":"healthy","ok":true`
		}
		fmt.Fprintf(w, `{"ready":true,"components":[{"name":"channel risk-hook",%s},{"name":"channel other","state":"suspended"}]}`, state)
	}))
	defer daemon.Close()
	config := filepath.Join(t.TempDir(), "notifier.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "http: {listen: %q}\nchannels: {risk-hook: {console: {}}}\n", daemon.Listener.Addr()), 0o600); err != nil {
		t.Fatal(err)
	}
	c := lettered(t, letterRange(2)...)
	ctx, cancel := context.WithCancelCause(t.Context())
	said := clitest.NewLines()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, []string{"dlq", "replay", "--all", "--yes", "--wait", "-c", config, "--brokers", c.Brokers[0], "--group", c.Group},
			base.Streams{In: strings.NewReader(""), Out: io.Discard, Err: said})
	}()
	said.Wait(t, 20*time.Second, "channel risk-hook is suspended, its replays wait: credentials: 401: check the headers")
	healthy.Store(true)
	said.Wait(t, 20*time.Second, "channel risk-hook is healthy again")
	cancel(base.ErrSignal)
	if code := <-ended; code != base.ExitFailed {
		t.Errorf("exit %d", code)
	}
	if strings.Contains(said.String(), "channel other") || strings.Count(said.String(), "suspended") != 1 {
		t.Errorf("it said\n%s", said.String())
	}
}
