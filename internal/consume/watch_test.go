//go:build synctests

package consume_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

// watched runs a member on a fake clock, and reads what it says of conditions.
type watched struct {
	*running
	t          *testing.T
	conditions *health.Conditions
}

func watch(t *testing.T, c *testkafka.Cluster, h consume.Handler, change func(*consume.Params)) *watched {
	w := &watched{t: t}
	w.running = run(t, c, h, func(p *consume.Params) {
		w.conditions = health.New(p.Logger, p.Registry)
		p.Conditions = w.conditions
		if change != nil {
			change(p)
		}
	})
	return w
}

// says holds that readiness, log and metric show a condition, and that its
// message names each of these facts: offsets, codes, what to run.
func (w *watched) says(kind health.Type, reason string, facts ...string) {
	w.t.Helper()
	for _, fact := range facts {
		if got := w.conditions.Text(kind); !strings.Contains(got, fact) {
			w.t.Errorf("readiness does not name %q: %s", fact, got)
		}
		if log := w.text(); !strings.Contains(log, fact) {
			w.t.Errorf("the log does not name %q:\n%s", fact, log)
		}
	}
	w.metric("notifier_condition", fmt.Sprintf("notifier_condition{type=%q} 1\n", kind))
	if reason != "" {
		w.metric("notifier_partition_blocked", fmt.Sprintf("notifier_partition_blocked{partition=\"0\",reason=%q,stage=\"ingest\",topic=%q} 1\n", reason, topic))
	}
}

// silent holds that nothing is wrong.
func (w *watched) silent() {
	w.t.Helper()
	if got := w.conditions.Text(append([]health.Type{health.Blocked}, append(health.Groups, health.Partitions...)...)...); got != "" {
		w.t.Errorf("readiness says %q", got)
	}
	if text := w.exposed(); strings.Contains(text, "notifier_partition_blocked{") && strings.Contains(after(text, "notifier_partition_blocked{"), "} 1\n") {
		w.t.Errorf("a partition is held:\n%s", text)
	}
}

func after(text, first string) string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, first) {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

func (w *watched) metric(name, line string) {
	w.t.Helper()
	if text := w.exposed(); !strings.Contains(text, line) {
		w.t.Errorf("the metrics lack %s%s", line, after(text, name))
	}
}

func (w *watched) exposed() string {
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			w.t.Fatal(err)
		}
	}
	return text.String()
}

func (w *watched) text() string {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	return w.log.text.String()
}

// lines counts the lines of the log that contain all these words.
func (w *watched) lines(words ...string) int {
	n := 0
	for line := range strings.Lines(w.text()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			n++
		}
	}
	return n
}

// taking settles whatever it is given, in order.
type taking struct{ values chan string }

// Handle implements consume.Handler.
func (h taking) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		for _, r := range records {
			h.values <- string(r.Value)
		}
		p.Advance(records[len(records)-1], 1)
	}
}

func newTaking() taking { return taking{make(chan string, 10_000)} } // more than any test sends

func send(t *testing.T, cl *kgo.Client, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// keeping settles what it was handed when it is told to, in the three ways in which
// a handler does: in order, record by record, or by an account of its own.
type keeping struct {
	way    string
	settle chan struct{}
}

// Handle implements consume.Handler.
func (h keeping) Handle(ctx context.Context, p *consume.Partition) {
	for {
		records, err := p.Next(ctx)
		if err != nil {
			return
		}
		last := records[len(records)-1]
		var entries []*offsets.Entry
		switch h.way {
		case "records":
			for _, r := range records {
				entries = append(entries, p.Begin(r, offsets.Origin{}))
			}
		case "account":
			p.Release()
		}
		select {
		case <-h.settle:
		case <-ctx.Done():
			return
		}
		switch h.way {
		case "records":
			for _, e := range entries {
				p.Settle(e)
			}
		case "account":
			p.AdvanceTo(offsets.Position{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}, 1)
		default:
			p.Advance(last, 1)
		}
	}
}

// TestTransactionMarkersAreCommitted: no record follows them that would move the
// committed offset, and nothing is owed for them.
func TestTransactionMarkersAreCommitted(t *testing.T) {
	for _, way := range []string{"in order", "records", "account"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testkafka.Virtual(t, nil)
				h := keeping{way, make(chan struct{})}
				run(t, c, h, func(p *consume.Params) { p.OwnTopics = way != "in order" })
				manual := kgo.RecordPartitioner(kgo.ManualPartitioner())
				producer := c.Client(manual, kgo.TransactionalID("bookings"))
				transaction := func(end kgo.TransactionEndTry) {
					if err := producer.BeginTransaction(); err != nil {
						t.Fatal(err)
					}
					send(t, producer, "a", "b")
					if err := producer.EndTransaction(t.Context(), end); err != nil {
						t.Fatal(err)
					}
				}
				expect := func(want int64, what string) {
					t.Helper()
					time.Sleep(5 * time.Second)
					if at, _ := committed(c); at != want {
						t.Errorf("%s: committed %d, want %d", what, at, want)
					}
				}
				transaction(kgo.TryAbort)
				expect(3, "nothing but an aborted transaction")
				transaction(kgo.TryCommit)
				transaction(kgo.TryAbort)
				expect(3, "two records are not settled")
				h.settle <- struct{}{}
				expect(9, "all are settled")
				send(t, c.Client(manual), "c")
				expect(9, "another one is not settled")
			})
		})
	}
}

func TestOnlyOpenTransactionsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, nil)
		manual := kgo.RecordPartitioner(kgo.ManualPartitioner())
		open := c.Client(manual, kgo.TransactionalID("bookings"), kgo.TransactionTimeout(15*time.Minute))
		plain := c.Client(manual)
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
			if err := open.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			send(t, open, "a", "b")
			if err := open.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		w.silent() // the aborted ones and the markers behind them are not waited for
		if n := len(h.values); n != 2 {
			t.Errorf("%d records were handed out: markers and what was aborted are no events", n)
		}

		if err := open.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		send(t, open, "c")
		send(t, plain, "behind it")
		time.Sleep(30 * time.Second)
		w.silent() // an ordinary transaction takes some time
		time.Sleep(90 * time.Second)
		w.says(health.Transaction, "transaction", "trade-executions/0", "2 records", "offset 6", "producer id ",
			"kafka-transactions.sh --bootstrap-server "+c.Brokers[0]+" abort --topic trade-executions --partition 0 --start-offset 6")
		time.Sleep(5 * time.Minute)
		if n := w.lines("hanging transaction"); n != 1 {
			t.Errorf("said %d times in some six minutes", n)
		}
		if err := open.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		w.silent()
		if n := w.lines("level=INFO", "hanging transaction ended"); n != 1 {
			t.Errorf("its end is said %d times", n)
		}
		time.Sleep(10 * time.Minute)
		w.silent()
	})
}

func TestCorruptBatchIsReportedAndReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		wire := c.Wire()
		h := newTaking()
		w := watch(t, c, h, func(p *consume.Params) { p.Options = append(p.Options, kgo.Dialer(wire.Dial)) })
		cl := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
		send(t, cl, "good", "also good")
		time.Sleep(time.Second)
		wire.Corrupt([]byte("rotten"))
		batch := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(time.Second))
		var records []*kgo.Record
		for _, v := range []string{"in it", "rotten", "in it"} {
			records = append(records, &kgo.Record{Topic: topic, Value: []byte(v)})
		}
		if err := batch.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		send(t, cl, "behind it")
		time.Sleep(time.Second)
		w.says(health.Corrupt, "read", "trade-executions/0", "offset 2 ")
		time.Sleep(5 * time.Minute)
		if n := len(h.values); n != 2 {
			t.Errorf("%d records were handed out", n)
		}
		w.says(health.Corrupt, "read", "offsets 2 to 4")
		w.says(health.Corrupt, "read", "kafka-consumer-groups.sh --bootstrap-server "+c.Brokers[0]+
			" --group notification-service --topic trade-executions:0 --reset-offsets --to-offset 5 --execute'")
		if n := w.lines("batch is corrupt"); n != 2 { // where it begins, then where it ends too
			t.Errorf("said %d times in five minutes", n)
		}
		// kgo by itself asks some hundred times a second.
		if text := after(w.exposed(), `notifier_group_errors_total{reason="OTHER"`); len(text) == 0 || strings.Contains(text, "e+") || countOf(text) > 120 {
			t.Errorf("it was tried too often, or never: %s", text)
		}
		wire.Corrupt(nil)
		time.Sleep(10 * time.Second)
		w.silent()
		if n := len(h.values); n != 6 {
			t.Errorf("%d records were handed out", n)
		}
		if n := w.lines("level=INFO", "partition is read again"); n != 1 {
			t.Errorf("its end is said %d times", n)
		}
	})
}

// countOf is the value of a metric's only line.
func countOf(line string) float64 {
	var v float64
	_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &v)
	return v
}

func TestADecompressionBombIsSaidAndNotSkipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, func(p *consume.Params) {
			p.Options = append(p.Options, kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 1 << 20, Total: 64 << 20})))
		})
		manual := kgo.RecordPartitioner(kgo.ManualPartitioner())
		plain, packed := c.Client(manual), c.Client(manual, kgo.ProducerLinger(time.Second), kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
		send(t, plain, "good")
		big := bytes.Repeat([]byte{'0'}, 1<<20)
		if err := packed.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: big}, &kgo.Record{Topic: topic, Value: big}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		send(t, plain, "behind it")
		time.Sleep(5 * time.Minute)
		w.says(health.TooLarge, "read", "offsets 1 to 2", "trade-executions/0", "kafka.window.bytes")
		w.says(health.TooLarge, "read", "--topic trade-executions:0 --reset-offsets --to-offset 3 --execute'")
		if n := w.lines("batch too large to decompress"); n != 1 {
			t.Errorf("said %d times in five minutes", n)
		}
		if n := len(h.values); n != 1 {
			t.Errorf("%d records were handed out", n)
		}
		if at, _ := committed(c); at != 1 {
			t.Errorf("committed at %d", at)
		}
		// The remedy, as the sentence has it.
		if err := w.stop(); err != nil {
			t.Fatal(err)
		}
		commit(t, c, 3, "")
		w = watch(t, c, h, nil)
		time.Sleep(5 * time.Second)
		w.silent()
		if n := len(h.values); n != 2 {
			t.Errorf("%d records were handed out", n)
		}
	})
}

func TestAPartitionThatIsNotReadIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, nil)
		produce(t, c, 3)
		time.Sleep(time.Second)
		// kgo says nothing of this error and tries forever; on one partition alone
		// it would do so without a pause, in which a fake clock does not move.
		fault := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.CorruptMessage, Count: -1})
		produce(t, c, 7)
		time.Sleep(30 * time.Second)
		w.silent()
		time.Sleep(90 * time.Second)
		w.says(health.Progress, "progress", "trade-executions/0", "7 records")
		w.says(health.Progress, "progress", "offset 3 ")
		time.Sleep(40 * time.Minute)
		w.says(health.Progress, "progress", "offset 3 ")
		if n := w.lines("level=WARN", "topic is not read, subscribing again", "topic="+topic); n != 1 {
			t.Errorf("within an hour it was subscribed to %d times", n)
		}
		fault.Remove()
		time.Sleep(30 * time.Second)
		w.silent()
		if n := len(h.values); n != 10 {
			t.Errorf("%d records were handed out", n)
		}
	})
}

// TestPartitionForgottenByTheClientIsReadAgain: nothing but asking for its
// topic again brings it back.
func TestPartitionForgottenByTheClientIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, nil)
		produce(t, c, 3)
		time.Sleep(time.Second)
		var lost, found atomic.Bool
		c.Fake().ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.Fake().KeepControl()
			if !lost.Load() || found.Load() {
				return nil, nil, false
			}
			time.Sleep(250 * time.Millisecond) // as long as a fetch waits that finds nothing
			resp := r.ResponseKind().(*kmsg.FetchResponse)
			resp.SessionID = r.(*kmsg.FetchRequest).SessionID
			return resp, nil, true
		})
		c.Fake().ControlKey(int16(kmsg.OffsetFetch), func(kmsg.Request) (kmsg.Response, error, bool) { // of a partition that is assigned
			c.Fake().KeepControl()
			found.Store(lost.Load())
			return nil, nil, false
		})
		lost.Store(true)
		produce(t, c, 7)
		time.Sleep(110 * time.Second)
		w.says(health.Progress, "progress", "trade-executions/0", "7 records")
		time.Sleep(90 * time.Second)
		w.silent()
		if n := len(h.values); n != 10 {
			t.Errorf("%d records were handed out", n)
		}
	})
}

func TestStuckHandlerIsReported(t *testing.T) {
	for name, change := range map[string]func(*consume.Params){
		"stuck":   nil,
		"patient": func(p *consume.Params) { p.Patient = []string{topic} },
		"outbox":  func(p *consume.Params) { p.OwnTopics = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testkafka.Virtual(t, nil)
				h := newWorker()
				w := watch(t, c, h, change)
				produce(t, c, 5)
				time.Sleep(time.Second)
				h.settle(0, 1)
				time.Sleep(3 * time.Minute)
				if change != nil {
					w.silent()
					return
				}
				w.says(health.Progress, "progress", "trade-executions/0", "3 records")
				w.says(health.Progress, "progress", "offset 1.")
				h.settle(2, 3, 4)
				time.Sleep(20 * time.Second)
				w.silent()
			})
		})
	}
}

func TestRecordsDeletedByRetentionAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, nil)
		produce(t, c, 10)
		time.Sleep(time.Second)
		fault := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.CorruptMessage, Count: -1})
		produce(t, c, 40)
		if err := c.Fake().DeleteRecords(topic, 0, 50); err != nil {
			t.Fatal(err)
		}
		fault.Remove()
		time.Sleep(2 * time.Minute)
		w.metric("notifier_events_lost_total", fmt.Sprintf("notifier_events_lost_total{stage=\"ingest\",topic=%q} 40\n", topic))
		if n := w.lines("level=ERROR", "records lost", "events=40", "topic=trade-executions", "retention.ms"); n != 1 {
			t.Errorf("said %d times:\n%s", n, w.text())
		}
		if at, _ := committed(c); at != 50 {
			t.Errorf("committed at %d: the next owner would count them again", at)
		}
		produce(t, c, 1)
		time.Sleep(time.Second)
		if n := len(h.values); n != 11 {
			t.Errorf("%d records were handed out", n)
		}
		w.metric("notifier_events_lost_total", fmt.Sprintf("notifier_events_lost_total{stage=\"ingest\",topic=%q} 40\n", topic))
		w.silent()
	})
}

func TestFrozenMemberCommitsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		wire := c.Wire()
		slow := newWorker()
		frozen := watch(t, c, slow, func(p *consume.Params) { p.Options = append(p.Options, kgo.Dialer(wire.Dial)) })
		produce(t, c, 20)
		time.Sleep(time.Second)
		slow.settle(0, 1, 2)
		time.Sleep(time.Second)
		wire.Freeze()
		h := newTaking()
		other := watch(t, c, h, nil)
		time.Sleep(time.Minute)
		if n := len(h.values); n != 17 {
			t.Fatalf("the other one was handed %d records", n)
		}
		slow.settle(3, 4)
		wire.Restore()
		time.Sleep(time.Second)
		slow.settle(5)
		time.Sleep(20 * time.Second)
		if at, _ := committed(c); at != 20 {
			t.Errorf("committed at %d: what was frozen must not commit", at)
		}
		if n := frozen.lines("level=WARN", "evicted from consumer group", "group=notification-service", "kafka.session_timeout (10s)"); n != 1 {
			t.Errorf("said %d times:\n%s", n, frozen.text())
		}
		if !frozen.Status().Joined {
			t.Error("it has not joined again")
		}
		frozen.silent()
		other.silent()
	})
}

func TestRevokedTopicRightsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		h := newTaking()
		w := watch(t, c, h, nil)
		produce(t, c, 1)
		time.Sleep(time.Second)
		fault := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
		produce(t, c, 1)
		time.Sleep(30 * time.Second)
		w.says(health.Denied, "", "trade-executions", kerr.TopicAuthorizationFailed.Message, "grant READ on group notification-service", "1m0s")
		fault.Remove()
		time.Sleep(30 * time.Second)
		w.silent()
		if n := len(h.values); n != 2 {
			t.Errorf("%d records were handed out", n)
		}
	})
}

// TestLeaderlessPartitionBlocksNoOther: neither when it is assigned nor
// later, and it is read once it has one.
func TestLeaderlessPartitionBlocksNoOther(t *testing.T) {
	for name, own := range map[string]bool{"source": false, "outbox": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := testkafka.Virtual(t, nil)
				produce(t, c, 3) // to partition 0
				commits := make(kadm.Offsets)
				for id := range int32(3) {
					commits.Add(kadm.Offset{Topic: topic, Partition: id, At: 0, LeaderEpoch: -1, Metadata: offsets.Binding(c.ID, "")})
				}
				if err := c.Admin.CommitAllOffsets(t.Context(), c.Group, commits); err != nil {
					t.Fatal(err)
				}
				restore := c.Leaderless(topic, 1)
				h := newTaking()
				w := watch(t, c, h, func(p *consume.Params) { p.OwnTopics = own })
				time.Sleep(30 * time.Second)
				if n := len(h.values); n != 3 {
					t.Errorf("%d records of the others were handed out:\n%s", n, w.text())
				}
				restore()
				r := &kgo.Record{Topic: topic, Partition: 1, Value: []byte("1")}
				if err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if n := len(h.values); n != 4 {
					t.Errorf("%d records were handed out:\n%s", n, w.text())
				}
				w.silent()
			})
		})
	}
}

func TestRepeatedGroupFailureIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		produce(t, c, 3)
		fault := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: c.Group, Err: kerr.UnstableOffsetCommit, Count: -1})
		h := newTaking()
		w := watch(t, c, h, nil)
		time.Sleep(3 * time.Minute)
		w.says(health.Group, "", "notification-service", kerr.UnstableOffsetCommit.Message)
		fault.Remove()
		time.Sleep(time.Minute)
		w.silent()
		if n := len(h.values); n != 3 {
			t.Errorf("%d records were handed out", n)
		}
	})
}

// TestUnknownCommitIsFetchedAgain: an error is not the lack of a commit. The
// partition is not read from its beginning, and nothing is committed there.
func TestUnknownCommitIsFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		produce(t, c, 60)
		commit(t, c, 50, "set by a tool")
		fault := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: c.Group, Topic: topic, Partitions: []int32{0}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		h := newTaking()
		w := watch(t, c, h, nil)
		time.Sleep(time.Minute)
		w.says(health.Group, "", "notification-service", kerr.CoordinatorLoadInProgress.Message)
		fault.Remove()
		if at, _ := committed(c); at != 50 {
			t.Errorf("committed %d", at)
		}
		time.Sleep(time.Minute)
		w.silent()
		if at, _ := committed(c); len(h.values) != 10 || at != 60 {
			t.Errorf("%d records were handed out, committed %d:\n%s", len(h.values), at, w.text())
		}
	})
}

// TestNewOutboxAcceptsAlertsWhileItIsAssigned: an empty log has no
// fresh record, and its end may be where the first ones are by the time that is
// asked for.
func TestNewOutboxAcceptsAlertsWhileItIsAssigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testkafka.Virtual(t, nil)
		var asked, came atomic.Bool // for fresh records, and there was none
		c.Fake().ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.Fake().KeepControl()
			at := r.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp
			switch {
			case at >= 0:
				asked.Store(true)
			case at == -1 && asked.Load() && !came.Swap(true):
				c.Fake().SleepControl(func() { produce(t, c, 5) })
			}
			return nil, nil, false
		})
		w := newWorker()
		r := run(t, c, w, func(p *consume.Params) { p.OwnTopics = true })
		time.Sleep(10 * time.Second)
		if held := r.Status().Blocked; len(held) > 0 || w.count() != 5 || !came.Load() {
			t.Errorf("%d records are handed out, held: %+v", w.count(), held)
		}
	})
}
