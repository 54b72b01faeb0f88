package backtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/testkafka"
)

// TestMain sets the local zone, in which the command prints times.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("CET", 3600)
	os.Exit(m.Run())
}

// backtest runs the command with the configuration in dir.
func backtest(t testing.TB, c *testkafka.Cluster, dir string, args ...string) clitest.Answer {
	t.Helper()
	return clitest.Main(cli.Run).On(t, c, append([]string{"rules", "backtest", "-c", filepath.Join(dir, "notifier.yaml")}, args...)...)
}

// summary is the last object of the JSON.
type summary struct {
	Complete    bool
	Events      int
	DeadLetters []struct {
		Topic, Cause string
		Count        int
	} `json:"dead_letters"`
	Versions []struct {
		File  string
		Rules []struct {
			Rule                                      string
			Alerts, Critical, Warning, Info, Resolved int
		}
		Channels []struct {
			Channel                 string
			Messages, Edits, Groups int
			Decisions               map[string]int
			Hours                   []struct{ Messages int }
			First                   []struct{ Title string }
		}
	}
	Differences []struct {
		Rule                   string
		Gained, Lost, Severity int
	}
}

func parsed(t testing.TB, a clitest.Answer) (s summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(a.Out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil {
		t.Fatalf("%v: %s\n%s", err, a.Out, a.Err)
	}
	return s
}

// TestOutputOfAStory holds what people read, at 100 columns.
func TestOutputOfAStory(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	dir := configured(t)
	clitest.Golden(t, "story.golden", backtest(t, c, dir, append(period, "--show", "6")...).Want(t, base.ExitDone, "nothing was sent").Out)
	later := write(t, dir, "new.yaml", newRules)
	clitest.Golden(t, "diff.golden", backtest(t, c, dir, append(period, "--diff", later, "--events")...).Want(t, base.ExitDone).Out)
}

func TestAlertsAndDeadLettersAreCounted(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	s := parsed(t, backtest(t, c, configured(t), append(period, "-o", "json")...).Want(t, base.ExitDone))
	if s.Events != 51 || !s.Complete {
		t.Errorf("%d events, complete: %t; want 51, without the tombstone", s.Events, s.Complete)
	}
	if got, want := fmt.Sprint(s.DeadLetters), "[{trade-executions truncated 2}]"; got != want {
		t.Errorf("dead letters %s, want %s", got, want)
	}
	// ACC-2 was never in a drawdown: that it is resolved is raised once.
	if got, want := fmt.Sprint(s.Versions[0].Rules), "[{rejected 42 1 41 0 0} {drawdown 2 0 2 0 2} {never 0 0 0 0 0}]"; got != want {
		t.Errorf("rules %s, want %s", got, want)
	}
}

func TestOnlyThePeriodAndTopicsAreRead(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	dir := configured(t)
	for args, want := range map[string]int{
		"--since 2026-11-23T14:00:10Z --until 2026-11-23T14:00:15Z": 10,
		"--since 2026-11-23T15:00:00Z":                              3,
		"--topic portfolio-updates --since 2026-11-23T13:00:00Z":    6,
	} {
		if s := parsed(t, backtest(t, c, dir, append(strings.Fields(args), "-o", "json")...).Want(t, base.ExitDone)); s.Events != want {
			t.Errorf("%s: %d events, want %d", args, s.Events, want)
		}
	}
}

func TestDiffCountsWhatIsGainedAndLost(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	dir := configured(t)
	later := write(t, dir, "new.yaml", newRules)
	s := parsed(t, backtest(t, c, dir, append(period, "--diff", later, "-o", "json")...).Want(t, base.ExitDone))
	// Of qty 0 to 100 are eleven of the storm, and the one that is throttled.
	if got, want := fmt.Sprint(s.Differences), "[{rejected 0 12 0} {drawdown 0 0 0} {restricted 1 0 0} {never 0 0 0}]"; got != want {
		t.Errorf("differences %s, want %s", got, want)
	}
	if len(s.Versions) != 2 || s.Versions[0].File != filepath.Join(dir, "rules.yaml") || s.Versions[1].File != later || s.Events != 51 {
		t.Errorf("compared %+v", s)
	}
	backwards := parsed(t, backtest(t, c, dir, append(period, "--diff", later, filepath.Join(dir, "rules.yaml"), "-o", "json")...).Want(t, base.ExitDone))
	if got, want := fmt.Sprint(backwards.Differences), "[{rejected 12 0 0} {drawdown 0 0 0} {never 0 0 0} {restricted 0 1 0}]"; got != want {
		t.Errorf("the other way %s, want %s", got, want)
	}
}

func TestDiffListsTheEvents(t *testing.T) {
	c := testkafka.Start(t, nil)
	if c.Real() {
		t.Skip("its events are older than the retention of a real cluster")
	}
	produce(t, c, rejected(0, 0, 90, "limit"), rejected(1, time.Second, 450, "limit"), rejected(2, 2*time.Second, 200, "limit"),
		rec("portfolio-updates", 1, time.Hour, `{"kind":"restricted","account":"ACC-3"}`))
	dir := configured(t)
	later := write(t, dir, "new.yaml", newRules)
	a := backtest(t, c, dir, append(period, "--diff", later, "--events", "-o", "json")...).Want(t, base.ExitDone)
	var got []string
	for _, o := range a.Objects(t) {
		if o["type"] == "event" {
			got = append(got, fmt.Sprint(o["difference"], o["event"], o["rule"], o["old_severity"], o["severity"], o["title"]))
		}
	}
	want := []string{
		"lost trade-executions/0@0 rejected <nil> warning Rejected: 90 on ACC-0 (limit)",
		"severity trade-executions/1@0 rejected warning critical Rejected: 450 on ACC-1 (limit)",
		"gained portfolio-updates/1@0 restricted <nil> warning t",
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], " ", "")
	}
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], " ", "")
	}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	text := backtest(t, c, dir, append(period, "--diff", later, "--events")...).Want(t, base.ExitDone)
	text.Contains(t, "- trade-executions/0@0 23 Nov 15:00:00 rejected warning Rejected: 90", "~ trade-executions/1@0 23 Nov 15:00:01 rejected warning → critical", "+ portfolio-updates/1@0")
}

func TestNothingInThePeriodIsAnError(t *testing.T) {
	c := testkafka.Start(t, nil)
	dir := configured(t)
	backtest(t, c, dir).Want(t, base.ExitFailed, "no event of trade-executions, portfolio-updates since", "the topics are empty")
	story(t, c)
	backtest(t, c, dir, "--since", "2026-11-23T17:00:00Z").Want(t, base.ExitFailed, "the newest is of 2026-11-23 17:00:00 CET, in trade-executions")
}

func TestDeletedHistoryIsSaid(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	if _, err := c.Admin.DeleteRecords(t.Context(), before("portfolio-updates", 0, 2)); err != nil {
		t.Fatal(err)
	}
	a := backtest(t, c, configured(t), period...).Want(t, base.ExitDone, "portfolio-updates has no events from before 2026-11-23 15:03:00 CET: retention has deleted them")
	if strings.Contains(a.Err, "trade-executions has no events") {
		t.Errorf("it says that of a topic which has all: %s", a.Err)
	}
}

func TestMissingTopicAndRightsAreExplained(t *testing.T) {
	c := testkafka.Bare(t)
	dir := configured(t)
	backtest(t, c, dir).Want(t, base.ExitFailed, "topic trade-executions is missing: run 'notifier -c", "or choose others with --topic")
	c = testkafka.Start(t, nil)
	story(t, c)
	c.Fake().ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		resp := r.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range r.(*kmsg.FetchRequest).Topics {
			of := kmsg.NewFetchResponseTopic()
			of.Topic, of.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				denied := kmsg.NewFetchResponseTopicPartition()
				denied.Partition, denied.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				of.Partitions = append(of.Partitions, denied)
			}
			resp.Topics = append(resp.Topics, of)
		}
		return resp, nil, true
	})
	backtest(t, c, dir, period...).Want(t, base.ExitFailed, "TOPIC_AUTHORIZATION_FAILED", "notifier rules backtest needs Read on the source topics")
}

// TestStopPrintsWhatIsKnown: the command is stopped while a partition does not answer.
func TestStopPrintsWhatIsKnown(t *testing.T) {
	c := testkafka.Start(t, nil)
	story(t, c)
	ctx, cancel := context.WithCancelCause(t.Context())
	waits := make(chan struct{}, 1)
	c.Fake().ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.Fake().KeepControl()
		f := r.(*kmsg.FetchRequest)
		details, err := c.Admin.ListTopics(t.Context(), "portfolio-updates")
		if err != nil || f.Topics[0].TopicID != [16]byte(details["portfolio-updates"].ID) || f.Topics[0].Partitions[0].Partition != 1 {
			return nil, nil, false
		}
		select {
		case waits <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return nil, nil, false
	})
	go func() {
		<-waits
		cancel(fmt.Errorf("%w: interrupt", base.ErrSignal))
	}()
	var out, words bytes.Buffer
	args := append([]string{"rules", "backtest", "-c", filepath.Join(configured(t), "notifier.yaml"), "--brokers", c.Brokers[0], "-o", "json"}, period...)
	code := cli.Run(ctx, args, base.Streams{In: strings.NewReader(""), Out: &out, Err: &words})
	if !errors.Is(context.Cause(ctx), base.ErrSignal) || code != base.ExitFailed || !strings.Contains(words.String(), "stopped by a signal: interrupt: the figures are of the events before 2026-11-23 14:00:00 CET") {
		t.Errorf("exit %d: %s", code, words.String())
	}
	if s := parsed(t, clitest.Answer{Out: out.String(), Err: words.String()}); s.Complete {
		t.Error("it calls that complete")
	}
}

func before(topic string, partition int32, offset int64) kadm.Offsets {
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: topic, Partition: partition, At: offset, LeaderEpoch: -1})
	return o
}
