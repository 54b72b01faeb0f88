package dlq_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/cli"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/clitest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// scripted stands in for the daemon: it reads the requests in order, gives each
// the outcome that the test says, and commits.
type scripted struct {
	t        *testing.T
	c        *testkafka.Cluster
	w        *dlq.Writer
	does     func(q replay.Request) act
	mu       sync.Mutex
	received []replay.Request
}

// act is what the daemon does with a request.
type act struct {
	what   string // resolve, discard, fail, drop, keep
	detail string
}

var (
	resolves = act{what: "resolve"}
	discards = act{what: "discard"}
	drops    = act{what: "drop"}
	keeps    = act{what: "keep"} // it does not come that far
)

func fails(detail string) act { return act{"fail", detail} }

// daemonDoes runs a scripted daemon until the test ends.
func daemonDoes(t *testing.T, c *testkafka.Cluster, does func(replay.Request) act) *scripted {
	t.Helper()
	s := &scripted{t: t, c: c, w: deadWriter(c), does: does}
	cl := c.Client(kgo.ConsumeTopics(topics.Replay(c.Group)), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for _, r := range cl.PollFetches(ctx).Records() {
				s.handle(ctx, r)
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return s
}

func deadWriter(c *testkafka.Cluster) *dlq.Writer {
	cl := c.Client(kafka.DeadLetterOptions(kafka.MaxMessageBytes(c.Shapes(nil)))...)
	return dlq.NewWriter(dlq.WriterParams{Client: cl, Group: c.Group, Logger: slog.New(slog.DiscardHandler)})
}

func (s *scripted) handle(ctx context.Context, r *kgo.Record) {
	q, err := replay.ParseRequest(r)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.received = append(s.received, q)
	s.mu.Unlock()
	do := s.does(q)
	topic := topics.DeadLetter(s.c.Group, q.Source)
	switch do.what {
	case "keep":
		return
	case "resolve", "discard":
		state := map[string]dlq.State{"resolve": dlq.Resolved, "discard": dlq.Discarded}[do.what]
		err = s.w.CloseEntries(ctx, &dlq.Closure{Topic: topic, Key: []byte(q.Entry), Closing: dlq.Closing{State: state, By: q.By, At: time.Now()}})
	case "fail":
		var records []*kgo.Record
		records, _, err = dlq.NewLog(s.c.Client()).Read(ctx, topic, 0, q.Version, 1<<20)
		if err == nil {
			e := dlq.Parse(records[0]).Again("", 3)
			e.Detail, e.LastFailed = do.detail, time.Now()
			err = s.w.Write(ctx, e)
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			s.t.Error(err)
		}
		return
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(r.Topic, r.Partition, r.Offset+1, -1)
	if err := s.c.Admin.CommitAllOffsets(ctx, s.c.Group, offsets); err != nil && ctx.Err() == nil {
		s.t.Error(err)
	}
}

// requests returns what the daemon was asked for so far.
func (s *scripted) requests() []replay.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]replay.Request(nil), s.received...)
}

// letter is the dead letter of a delivery to a webhook that refuses it, with a
// fingerprint that follows from the detail.
func letter(i int, detail string) *dlq.Entry {
	id := fmt.Sprintf("dl_%04d", i)
	now := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	return &dlq.Entry{
		ID: id,
		Envelope: &envelope.Envelope{
			Source: envelope.Source{
				Topic: string(topics.TradeExecutions), Partition: 0, Offset: int64(i), Time: now,
				Key: []byte("ses-1"), Value: fmt.Appendf(nil, `{"n":%d}`, i),
			},
			Alert:    &alert.Alert{ID: "al_" + id, Rule: "order-rejected", Severity: alert.Warning, Title: alert.Text{{Text: "rejected"}}},
			Delivery: id, Channel: "risk-hook",
		},
		Reason: outcome.Refused, Scope: outcome.Message, Cause: outcome.PayloadRefused, Detail: detail,
		Attempts: 1, FirstFailed: now, LastFailed: now, State: dlq.Open,
	}
}

// unread is the dead letter of a record that is no event.
func unread(i int) *dlq.Entry {
	e := letter(i, "not JSON at byte 3 (truncated)")
	e.ID = fmt.Sprintf("re_%04d", i)
	e.Envelope.Alert, e.Envelope.Delivery, e.Envelope.Channel = nil, "", ""
	e.Envelope.Source.Value = []byte(`{"n`)
	e.Reason, e.Cause = outcome.Undecodable, outcome.Truncated
	return e
}

// lettered starts a cluster with these dead letters.
func lettered(t *testing.T, entries ...*dlq.Entry) *testkafka.Cluster {
	t.Helper()
	c := testkafka.Start(t, nil)
	if err := deadWriter(c).Write(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	return c
}

func letterRange(n int) []*dlq.Entry {
	var all []*dlq.Entry
	for i := range n {
		all = append(all, letter(i, "HTTP 422: no"))
	}
	return all
}

// output is the output of a command.
type output struct {
	code     int
	out, err string
}

func (s output) String() string { return fmt.Sprintf("exit %d\n%s---\n%s", s.code, s.out, s.err) }

// has asserts that both streams together hold the texts.
func (s output) has(t *testing.T, code int, texts ...string) {
	t.Helper()
	if s.code != code {
		t.Errorf("exit %d, want %d:\n%s", s.code, code, s)
	}
	for _, text := range texts {
		if !strings.Contains(s.out+s.err, text) {
			t.Errorf("the output lacks %q:\n%s", text, s)
		}
	}
}

// replay runs 'dlq replay' and fails the test if it takes too long.
func runReplay(t *testing.T, c *testkafka.Cluster, args ...string) output {
	t.Helper()
	return replayUntil(t, c, t.Context(), "", args...)
}

func replayUntil(t *testing.T, c *testkafka.Cluster, ctx context.Context, in string, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, errs := clitest.NewLines(), clitest.NewLines()
	args = append([]string{"--brokers", strings.Join(c.Brokers, ","), "--group", c.Group, "dlq", "replay"}, args...)
	code := cli.Run(ctx, args, base.Streams{In: strings.NewReader(in), Out: out, Err: errs})
	if ctx.Err() == context.DeadlineExceeded {
		t.Fatalf("it does not end:\n%s\n%s", out, errs)
	}
	return output{code, out.String(), errs.String()}
}
