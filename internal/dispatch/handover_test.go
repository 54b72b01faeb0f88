package dispatch

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
)

// owner is one owner of an outbox partition, which reads what commits said before.
type owner struct {
	*bench
	steps *consume.Steps
	part  *consume.Partition
	a     *Assignment
	last  *consume.Committed // of the group, by now
}

// takeOver begins with n alerts in the log, of which those before the commit are settled.
func takeOver(t *testing.T, n int, last *consume.Committed, answer func(channel.Message, int) (channel.Receipt, error), change func(*Config)) *owner {
	t.Helper()
	return takeOverLog(t, n, func(i int) *kgo.Record {
		r := outboxRecord(fmt.Sprint("dl_", i))
		r.Key, r.Offset = fmt.Append(nil, i), int64(i)
		return r
	}, last, answer, change)
}

// takeOverLog is takeOver of a log of these records.
func takeOverLog(t *testing.T, n int, record func(i int) *kgo.Record, last *consume.Committed, answer func(channel.Message, int) (channel.Receipt, error), change func(*Config)) *owner {
	t.Helper()
	return takeOverBench(newBench(t, change), n, record, last, answer)
}

func takeOverBench(b *bench, n int, record func(i int) *kgo.Record, last *consume.Committed, answer func(channel.Message, int) (channel.Receipt, error)) *owner {
	b.t.Helper()
	o := &owner{bench: b, last: last}
	o.ch.answer = answer
	o.steps = consume.NewSteps(consume.Params{
		Name: "dispatch", OwnTopics: true, Topics: []string{"outbox"}, Cluster: "c",
		Window: consume.Window{Records: 4096, Bytes: 64 << 20}, Logger: slog.New(slog.DiscardHandler),
	})
	var from int64
	o.part, from = o.steps.Assign("outbox", 0, "id", int64(n), last)
	o.a = NewHandler(HandlerParams{Outboxes: map[string]*Dispatcher{"outbox": o.Dispatcher}, Logger: slog.New(slog.DiscardHandler)}).Assign(o.part)
	var records []*kgo.Record
	for i := max(int(from), 0); i < n; i++ {
		records = append(records, record(i))
	}
	o.commit(false)
	if len(records) > 0 {
		o.a.Take(b.t.Context(), o.steps.Deliver(o.part, records))
	}
	synctest.Wait()
	return o
}

// commit commits; fence: as an owner that leaves.
func (o *owner) commit(fence bool) {
	o.t.Helper()
	s, ok := o.steps.Snapshot(o.part, fence)
	if !ok {
		return
	}
	if len(s.Metadata) > 4000 {
		o.t.Errorf("%d characters of metadata", len(s.Metadata))
	}
	o.last = &s.Committed
	o.steps.Answered(s, nil, false)
	synctest.Wait()
}

// leave gives the partition up in order; it returns the group's last commit.
func (o *owner) leave() *consume.Committed {
	done := o.a.Leave()
	select {
	case <-done:
	case <-time.After(consume.RevokeGrace):
	}
	o.commit(true)
	return o.last
}

// marked returns which deliveries were sent as possible duplicates.
func (o *owner) marked() (ids []string) {
	for _, s := range o.ch.all() {
		if s.m.MayBeDuplicate && !slices.Contains(ids, s.id) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

func forever(channel.Message, int) (channel.Receipt, error) {
	time.Sleep(time.Hour)
	return channel.Receipt{}, errDown
}

// TestResendAfterCrashIsMarked: the former owner had four attempts in flight when it
// died, and could have begun 64 beyond. All others are new.
func TestResendAfterCrashIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := takeOver(t, 200, nil, forever, func(c *Config) { c.Timeout = 2 * time.Hour })
		defer former.close()
		if n := len(former.ch.ids()); n != 4 {
			t.Fatalf("%d are in flight", n)
		}
		o := takeOver(t, 200, former.last, nil, nil)
		defer o.close()
		for range 10 {
			o.commit(false)
		}
		if n := len(o.marked()); len(o.ch.ids()) != 200 || n < 4 || n > 64+4 {
			t.Errorf("%d sent, %d of them marked", len(o.ch.ids()), n)
		}
		for _, id := range former.ch.ids() {
			if !slices.Contains(o.marked(), id) {
				t.Errorf("%s may have been sent, and is sent unmarked", id)
			}
		}
	})
}

// TestNothingIsSentBeforeCommitClaimsIt, so that whatever a crash leaves is known.
func TestNothingIsSentBeforeCommitClaimsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := takeOver(t, 0, nil, nil, nil)
		defer o.close()
		take := func(first, n int) {
			var records []*kgo.Record
			for i := first; i < first+n; i++ {
				r := outboxRecord(fmt.Sprint("dl_", i))
				r.Key, r.Offset = fmt.Append(nil, i), int64(i)
				records = append(records, r)
			}
			o.a.Take(t.Context(), o.steps.Deliver(o.part, records))
			synctest.Wait()
		}
		take(0, 64)
		if n := len(o.ch.ids()); n != 64 {
			t.Fatalf("%d sent of what the first commit claims", n)
		}
		o.commit(false)
		take(200, 1) // far behind all that is claimed: offsets need not follow each other
		if n := len(o.ch.ids()); n != 64 {
			t.Fatalf("%d sent", n)
		}
		s, ok := o.steps.Snapshot(o.part, false)
		if !ok {
			t.Fatal("no commit is made for it")
		}
		o.steps.Answered(s, errDown, false)
		synctest.Wait()
		if n := len(o.ch.ids()); n != 64 {
			t.Fatalf("%d sent after a commit that failed", n)
		}
		o.commit(false)
		if n := len(o.ch.ids()); n != 65 {
			t.Errorf("%d sent after the commit", n)
		}
		o.commit(false)
		if _, ok := o.steps.Snapshot(o.part, false); ok {
			t.Error("commits go on while nothing happens")
		}
		take(400, 1)
		for want := range 2 { // nothing is worth more than the alert
			if s, ok = o.steps.Snapshot(o.part, false); !ok {
				t.Fatal("no commit is made for it")
			}
			o.steps.Answered(s, errDown, false)
			synctest.Wait()
			if n := len(o.ch.ids()); n != 65+want {
				t.Errorf("%d sent after %d commits that failed", n, want+1)
			}
		}
	})
}

// TestCleanStopMarksNothing: of the deliveries behind a suspended channel none was
// sent, and none has a dead letter.
func TestCleanStopMarksNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := takeOver(t, 2000, nil, down, nil)
		defer former.close()
		for range 20 {
			time.Sleep(time.Second)
			former.commit(false)
		}
		o := takeOver(t, 2000, former.leave(), nil, nil)
		defer o.close()
		for range 100 {
			o.commit(false)
		}
		if n := len(o.ch.ids()); n != 2000 || len(o.marked()) > 0 || len(o.dead.closings()) > 0 {
			t.Errorf("%d sent, marked %v, %d tombstones", n, o.marked(), len(o.dead.closings()))
		}
	})
}

// TestCrashWhileChannelIsDownMarksItsProbe.
func TestCrashWhileChannelIsDownMarksItsProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := takeOver(t, 2000, nil, down, nil)
		defer former.close()
		for range 20 {
			time.Sleep(time.Second)
			former.commit(false)
		}
		o := takeOver(t, 2000, former.last, nil, nil)
		defer o.close()
		for range 100 {
			o.commit(false)
		}
		if n := len(o.marked()); len(o.ch.ids()) != 2000 || n > 2 {
			t.Errorf("%d sent, %d of them marked", len(o.ch.ids()), n)
		}
	})
}

// TestAttemptInFlightAtStopIsMarked: it outlasts the grace of a revoke.
func TestAttemptInFlightAtStopIsMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := takeOver(t, 100, nil, forever, func(c *Config) { c.Concurrency, c.Timeout = 30, 2*time.Hour })
		defer former.close()
		o := takeOver(t, 100, former.leave(), nil, nil)
		defer o.close()
		for range 10 {
			o.commit(false)
		}
		got, want := sorted(o.marked()), sorted(former.ch.ids())
		if len(want) != 30 || !slices.Equal(got, want) || len(o.ch.ids()) != 100 {
			t.Errorf("marked %v, want %v", got, want)
		}
	})
}

// TestAttemptsOutliveTheirOwner: however often the partition changes hands, a
// delivery that always fails becomes a dead letter.
func TestAttemptsOutliveTheirOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(m channel.Message, _ int) (channel.Receipt, error) {
			if m.Delivery == "dl_0" {
				time.Sleep(time.Millisecond) // the others succeed before
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}
		var last *consume.Committed
		var first time.Time
		for i := range 6 {
			o := takeOver(t, i+2, last, answer, nil)
			if i == 0 {
				first = time.Now()
			}
			time.Sleep(100 * time.Millisecond)
			last = o.leave()
			if dead := o.dead.all(); i < 5 && len(dead) > 0 || i == 5 && (len(dead) != 1 || dead[0].Attempts != 6 || first.Sub(dead[0].FirstFailed).Abs() > time.Second) {
				t.Fatalf("owner %d: dead letters %+v", i, dead)
			}
			o.close()
		}
	})
}

// TestDeadLetterWithLostCommitIsClosed, however far above the committed offset its
// delivery is.
func TestDeadLetterWithLostCommitIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 9000 // more than a window and a poll
		refused := fmt.Sprint("dl_", n-1)
		former := takeOver(t, n, nil, func(m channel.Message, _ int) (channel.Receipt, error) {
			switch m.Delivery {
			case refused:
				return channel.Receipt{}, errRefused
			case "dl_0":
				return channel.Receipt{}, errDown
			}
			return channel.Receipt{}, nil
		}, nil)
		defer former.close()
		for len(former.dead.all()) == 0 {
			former.commit(false)
		}
		o := takeOver(t, n, former.last, nil, nil)
		defer o.close()
		for range 200 {
			o.commit(false)
		}
		var closed []string
		for _, c := range o.dead.closings() {
			closed = append(closed, string(c.Key))
		}
		if !slices.Contains(closed, refused) || len(closed) > 2*64+1 {
			t.Errorf("%d entries are closed, %s among them: %v", len(closed), refused, slices.Contains(closed, refused))
		}
	})
}

// TestDeadLetterWaitsWhileCommitsFail: its delivery was begun although no commit says
// so, and whoever delivers it after a crash has to close what was written.
func TestDeadLetterWaitsWhileCommitsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		former := takeOver(t, 0, nil, func(channel.Message, int) (channel.Receipt, error) { return channel.Receipt{}, errRefused }, nil)
		defer former.close()
		former.commit(false)
		record := func() *kgo.Record { // far behind all that is claimed
			r := outboxRecord("dl_200")
			r.Offset = 200
			return r
		}
		former.a.Take(t.Context(), former.steps.Deliver(former.part, []*kgo.Record{record()}))
		synctest.Wait()
		for range 3 {
			s, ok := former.steps.Snapshot(former.part, false)
			if !ok {
				t.Fatal("no commit is made for it")
			}
			former.steps.Answered(s, errDown, false)
			synctest.Wait()
		}
		if n := len(former.ch.ids()); n != 1 || len(former.dead.all()) > 0 {
			t.Fatalf("%d sent, dead letters %v, before a commit says so", n, former.dead.all())
		}
		former.commit(false)
		if len(former.dead.all()) != 1 {
			t.Fatal("no dead letter after the commit")
		}
		o := takeOverLog(t, 201, func(i int) *kgo.Record {
			if i == 200 {
				return record()
			}
			r := outboxRecord(fmt.Sprint("dl_", i))
			r.Offset = int64(i)
			return r
		}, former.last, nil, nil)
		defer o.close()
		for range 10 {
			o.commit(false)
		}
		if !slices.ContainsFunc(o.dead.closings(), func(c dlq.Closure) bool { return string(c.Key) == "dl_200" }) {
			t.Errorf("the dead letter stays open, %d are closed", len(o.dead.closings()))
		}
	})
}
