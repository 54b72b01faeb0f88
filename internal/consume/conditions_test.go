package consume_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

// TestARecreatedTopicIsReadFromItsBeginning: a real broker answers each fetch
// of the old one with an error, as often as it is asked.
func TestARecreatedTopicIsReadFromItsBeginning(t *testing.T) {
	c := testkafka.Start(t, nil)
	var board *health.Conditions
	w := newWorker()
	r := run(t, c, w, func(p *consume.Params) {
		board = health.New(p.Logger, nil)
		p.Conditions = board
	})
	produce(t, c, 5)
	testkafka.Eventually(t, 20*time.Second, "the first ones are handed out", func() bool { return w.count() == 5 })
	w.settle(0, 1, 2, 3, 4)
	c.Delete(topic)
	if c.Real() { // kfake's client is not told
		testkafka.Eventually(t, 20*time.Second, "it says so", func() bool {
			return strings.Contains(board.Text(health.Recreated), "'notifier topics create'")
		})
	}
	for _, s := range c.Shapes(nil) {
		if s.Topic == topic {
			c.Make(s)
		}
	}
	produce(t, c, 3)
	testkafka.Eventually(t, 60*time.Second, "those of the new one are handed out", func() bool { return w.count() == 8 })
	testkafka.Eventually(t, 20*time.Second, "nothing is wrong", func() bool { return board.Text(health.Partitions...) == "" })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	errs, err := testutil.GatherAndCount(r.reg, "notifier_group_errors_total")
	if err != nil || errs == 0 {
		t.Fatalf("%d series, %v", errs, err)
	}
	families, err := r.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "notifier_group_errors_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 200 { // by itself: thousands a second
				t.Errorf("%v came %v times", m.GetLabel(), n)
			}
		}
	}
	if n := strings.Count(r.log.text.String(), "\n"); n > 30 {
		t.Errorf("%d lines:\n%s", n, r.log.text.String())
	}
}

func TestBatchDamagedInTransitIsReadAgain(t *testing.T) {
	c := testkafka.Start(t, nil)
	wire := c.Wire()
	var board *health.Conditions
	w := newWorker()
	wire.Corrupt([]byte("rotten"))
	r := run(t, c, w, func(p *consume.Params) {
		board = health.New(p.Logger, nil)
		p.Conditions = board
		p.Options = append(p.Options, kgo.Dialer(wire.Dial))
	})
	cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	for _, v := range []string{"good", "rotten", "behind it"} {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	testkafka.Eventually(t, 20*time.Second, "it says so", func() bool {
		return strings.Contains(board.Text(health.Corrupt), "offset 1 of trade-executions/0")
	})
	wire.Corrupt(nil)
	testkafka.Eventually(t, 30*time.Second, "all are handed out", func() bool { return w.count() == 3 && board.Text(health.Corrupt) == "" })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestOlderMemberWithSameInstanceIDIsFenced(t *testing.T) {
	c := testkafka.Start(t, nil)
	static := func(p *consume.Params) { p.InstanceID = "host-1" }
	first := run(t, c, newWorker(), static)
	testkafka.Eventually(t, 20*time.Second, "the first has joined", func() bool { return first.Status().Joined })
	second := run(t, c, newWorker(), static)
	ended := make(chan error, 1)
	go func() { ended <- first.wait() }()
	select {
	case err := <-ended:
		if !errors.Is(err, consume.ErrFenced) || !strings.Contains(err.Error(), "host-1") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the first one continues")
	}
	testkafka.Eventually(t, 20*time.Second, "the second has all partitions", func() bool { s := second.Status(); return s.Joined && s.Partitions == 3 })
}

func TestOversizedOwnBatchIsSkippedOnlyByOperators(t *testing.T) {
	c := testkafka.Start(t, nil)
	produce(t, c, 1)
	big := make([]byte, 300_000) // of zeros: small on its way
	packed := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(time.Second), kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err := packed.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: big}, &kgo.Record{Topic: topic, Value: big}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 1)
	var board *health.Conditions
	w := newWorker()
	start := func(bound int64) *running {
		return run(t, c, w, func(p *consume.Params) {
			board = health.New(p.Logger, nil)
			p.Conditions = board
			p.Options = append(p.Options, kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: bound, Total: 64 << 20})))
		})
	}
	r := start(500_000)
	testkafka.Eventually(t, 20*time.Second, "it says so", func() bool {
		return strings.Contains(board.Text(health.TooLarge), "offsets 1 to 2 of trade-executions/0") &&
			strings.Contains(board.Text(health.TooLarge), "--reset-offsets --to-offset 3 --execute")
	})
	if n := w.count(); n != 1 {
		t.Errorf("%d records were handed out", n)
	}
	w.settle(0)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if at, _ := committed(c); at != 1 {
		t.Errorf("committed at %d", at)
	}
	commit(t, c, 3, "")
	r = start(500_000)
	testkafka.Eventually(t, 20*time.Second, "what is behind it is handed out", func() bool { return w.count() == 2 })
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}
