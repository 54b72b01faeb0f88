package replay_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/topics"
)

// observer keeps what it is told.
type observer struct {
	mu      sync.Mutex
	running []bool
	last    replay.Account
}

func (o *observer) Progress(a replay.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = a
}

func (o *observer) Again(*dlq.Entry, bool) {}

func (o *observer) Running(there bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running = append(o.running, there)
}

func (o *observer) told() ([]bool, replay.Account) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.running), o.last
}

// runner plans to send everything again.
func runner(t *testing.T, c *testkafka.Cluster) *replay.Runner {
	t.Helper()
	cl := c.Client(replay.ClientOptions(kafka.MaxEnvelope)...)
	r := dlq.NewReader(cl, c.Group)
	spans, err := r.Ends(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := replay.NewPlan(replay.Options{By: "ann", Run: "rp_1"})
	if err := replay.Each(t.Context(), r, spans, dlq.Query{}, func(e *dlq.Entry) bool {
		p.Add(e)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	p.Close()
	return &replay.Runner{Reader: r, Client: cl, Plan: p, Spans: spans}
}

// running runs a runner and returns what tells how it ended.
func running(ctx context.Context, r *replay.Runner) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := r.Run(ctx)
		ended <- err
	}()
	return ended
}

func TestRunReportsWhenNotifierStarts(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c), entry("re_1", nil))
	o := &observer{}
	r := runner(t, c)
	r.Wait, r.Observer, r.LookEvery = true, o, 20*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := running(ctx, r)
	testkafka.Eventually(t, 20*time.Second, "it is said that there is none", func() bool {
		said, _ := o.told()
		return slices.Equal(said, []bool{false})
	})
	member := c.Client(kgo.ConsumerGroup(c.Group), kgo.ConsumeTopics(string(topics.TradeExecutions)))
	testkafka.Eventually(t, 20*time.Second, "it is said that there is one", func() bool {
		said, _ := o.told()
		return slices.Equal(said, []bool{false, true})
	})
	member.Close()
	testkafka.Eventually(t, 20*time.Second, "it is said that it has gone", func() bool {
		said, _ := o.told()
		return slices.Equal(said, []bool{false, true, false})
	})
	cancel()
	if err := <-ended; err == nil {
		t.Error("it ended although nothing was settled")
	}
}

func TestSettledRequestWithoutOutcomeIsDropped(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c)
	write(t, w, entry("re_1", nil), entry("re_2", nil), entry("re_3", nil))
	r, o := runner(t, c), &observer{}
	r.Wait, r.Observer = true, o
	ended := running(t.Context(), r)
	testkafka.Eventually(t, 20*time.Second, "all are asked for", func() bool {
		_, a := o.told()
		return a.Sent == 3
	})
	commit := func(at int64) {
		t.Helper()
		offsets := kadm.Offsets{}
		offsets.AddOffset(topics.Replay(c.Group), 0, at, -1)
		if err := c.Admin.CommitAllOffsets(t.Context(), c.Group, offsets); err != nil {
			t.Fatal(err)
		}
	}
	commit(2)
	testkafka.Eventually(t, 20*time.Second, "the two that were passed are given up", func() bool {
		_, a := o.told()
		return a.Dropped == 2 && a.Waiting == 1
	})
	resolve(t, c, w, "re_1") // it came after all
	testkafka.Eventually(t, 20*time.Second, "the one that was resolved is none that was dropped", func() bool {
		_, a := o.told()
		return a.Dropped == 1 && a.Resolved == 1
	})
	resolve(t, c, w, "re_3")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func resolve(t *testing.T, c *testkafka.Cluster, w *dlq.Writer, id string) {
	t.Helper()
	if err := w.CloseEntries(t.Context(), &dlq.Closure{
		Topic: topics.DeadLetter(c.Group, topics.TradeExecutions), Key: []byte(id),
		Closing: dlq.Closing{State: dlq.Resolved, By: "ann", At: time.Now()},
	}); err != nil {
		t.Fatal(err)
	}
}

func TestConcurrentRunsBothSeeTheOutcome(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c)
	write(t, w, entry("re_1", nil))
	one, two := runner(t, c), runner(t, c)
	one.Wait, two.Wait = true, true
	first, second := running(t.Context(), one), running(t.Context(), two)
	testkafka.Eventually(t, 20*time.Second, "both have asked", func() bool {
		spans, err := one.Reader.Spans(t.Context(), topics.Replay(c.Group))
		return err == nil && spans[0].End == 2
	})
	resolve(t, c, w, "re_1")
	for _, ended := range []<-chan error{first, second} {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestRequestsArePaced(t *testing.T) {
	c := testkafka.Start(t, nil)
	w := writer(t, c)
	for i := range 6 {
		write(t, w, entry(fmt.Sprintf("re_%d", i), nil))
	}
	r := runner(t, c)
	r.Rate = 20
	began := time.Now()
	account, err := r.Run(t.Context())
	if err != nil || account.Sent != 6 || account.Waiting != 6 || !account.Watched {
		t.Errorf("%+v %v", account, err)
	}
	if took := time.Since(began); took < 240*time.Millisecond {
		t.Errorf("6 at 20/s took %s", took)
	}
}

func TestRequestsThatCannotBeWrittenEndTheRun(t *testing.T) {
	c := testkafka.Start(t, nil)
	write(t, writer(t, c), entry("re_1", nil))
	r := runner(t, c)
	c.Delete(topics.Replay(c.Group))
	if err := r.Check(t.Context()); err == nil {
		t.Error("nothing is missing")
	}
	account, err := r.Run(t.Context())
	if err == nil || account.Sent != 0 || account.NotSent() != 1 {
		t.Errorf("%+v %v", account, err)
	}
}
