package lag

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/kafka"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/testkafka"
	"github.com/algotrade/notifier/internal/unpack"
)

// others is a Sampler on a cluster with a topic and a group of another service.
type others struct {
	*Sampler
	t            *testing.T
	c            *testkafka.Cluster
	topic, group string
}

func other(t *testing.T, partitions int) *others {
	c := testkafka.Bare(t)
	o := &others{t: t, c: c, topic: c.Group + ".orders", group: c.Group + ".order-service"}
	o.make(partitions)
	cl := c.Client()
	o.Sampler = NewSampler(cl, dlq.NewLog(cl), c.ID)
	return o
}

// onFake reports whether there can be faults, and all groups are the test's own.
func onFake(t *testing.T) bool {
	t.Helper()
	fake := !testkafka.Bare(t).Real()
	if !fake {
		t.Log("it needs faults, or a cluster of its own")
	}
	return fake
}

func (o *others) make(partitions int) {
	o.t.Helper()
	o.c.Make(kafka.Shape{Topic: o.topic, Partitions: int32(partitions), Replication: 1})
}

// put writes records that were written then.
func (o *others) put(partition int32, n int, at time.Time) {
	o.t.Helper()
	var records []*kgo.Record
	for range n {
		records = append(records, &kgo.Record{Topic: o.topic, Partition: partition, Timestamp: at, Value: []byte("x")})
	}
	if err := o.c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())).ProduceSync(o.t.Context(), records...).FirstErr(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *others) commit(group string, partition int32, at int64) {
	o.t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: o.topic, Partition: partition, At: at, LeaderEpoch: -1})
	if err := o.c.Admin.CommitAllOffsets(o.t.Context(), group, offsets); err != nil {
		o.t.Fatal(err)
	}
}

// now looks at the group and returns it.
func (o *others) now() *Group {
	o.t.Helper()
	s, err := o.Sample(o.t.Context(), Want{Groups: []string{o.group}})
	if err != nil {
		o.t.Fatal(err)
	}
	return s.Group(o.group)
}

// read returns the lag of the group's only topic.
func (o *others) read() (*Group, Total, []Partition) {
	o.t.Helper()
	g := o.now()
	if len(g.Topics) != 1 {
		o.t.Fatalf("%s reads %d topics, want one: %+v", g.Name, len(g.Topics), g)
	}
	return g, g.Topics[0].Total(), g.Topics[0].Partitions
}

func TestGroupWithoutMembersHasLag(t *testing.T) {
	o := other(t, 3)
	now := time.Now().Truncate(time.Millisecond)
	o.put(0, 5, now.Add(-2*time.Hour))
	o.put(0, 5, now.Add(-time.Hour))
	o.put(1, 7, now.Add(-time.Minute))
	o.commit(o.group, 0, 5)
	g, total, parts := o.read()
	if g.State != "Empty" || g.Members != 0 || g.Err != nil {
		t.Errorf("it is %s with %d members: %v", g.State, g.Members, g.Err)
	}
	// Nothing is committed for 1 and 2: all that the log holds may wait.
	if total.Waiting != 12 || !total.Oldest.Equal(now.Add(-time.Hour)) || total.Unknown != nil {
		t.Errorf("%+v", total)
	}
	if p := parts[1]; p.Committed != -1 || p.Waiting != 7 || !p.Oldest.Equal(now.Add(-time.Minute)) || !p.Unowned() {
		t.Errorf("without a commit: %+v", p)
	}
	if p := parts[2]; p.Waiting != 0 || !p.Oldest.IsZero() {
		t.Errorf("without records: %+v", p)
	}
	o.commit(o.group, 0, 10)
	o.commit(o.group, 1, 7)
	if _, total, _ := o.read(); total.Waiting != 0 || !total.Oldest.IsZero() || !total.Aged {
		t.Errorf("when it has read everything: %+v", total)
	}
}

func TestMembersAreNamedWithTheirPartitions(t *testing.T) {
	o := other(t, 2)
	o.put(0, 3, time.Now())
	for _, protocol := range []string{"classic", "KIP-848"} {
		t.Run(protocol, func(t *testing.T) {
			o.group = o.c.Group + "." + protocol
			opts := []kgo.Opt{kgo.ConsumerGroup(o.group), kgo.ConsumeTopics(o.topic), kgo.ClientID("orders-1"), kgo.DisableAutoCommit()}
			if protocol != "classic" {
				opts = append(opts, kgo.ServerSideBalancer())
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if fetches := o.c.Client(opts...).PollFetches(ctx); fetches.NumRecords() == 0 {
				t.Fatal(fetches.Err())
			}
			testkafka.Eventually(t, 10*time.Second, "the group has settled", func() bool { return o.now().State == "Stable" })
			g, total, parts := o.read()
			if g.State != "Stable" || g.Members != 1 || total.Waiting != 3 {
				t.Errorf("%+v %+v", g, total)
			}
			if protocol != "classic" && !o.c.Real() {
				return // kfake does not name the topics that members have
			}
			for _, p := range parts {
				if p.ClientID != "orders-1" || p.Host == "" {
					t.Errorf("partition %d is %q's on %q", p.ID, p.ClientID, p.Host)
				}
			}
		})
	}
}

// TestGroupWithoutOffsets: what brokers do when the offsets of a group
// that nobody is in expire, partition by partition.
func TestGroupWithoutOffsets(t *testing.T) {
	o := other(t, 2)
	o.put(0, 3, time.Now())
	o.put(1, 3, time.Now())
	o.commit(o.group, 0, 2)
	o.commit(o.group, 1, 2)
	expire := func(partition int32) {
		t.Helper()
		if _, err := o.c.Admin.DeleteOffsets(t.Context(), o.group, kadm.TopicsSet{o.topic: {partition: {}}}); err != nil {
			t.Fatal(err)
		}
	}
	expire(1)
	if _, total, parts := o.read(); total.Waiting != 4 || parts[1].Committed != -1 || parts[1].Waiting != 3 {
		t.Errorf("of one partition: %+v %+v", total, parts)
	}
	expire(0)
	if _, err := o.c.Admin.DeleteGroup(t.Context(), o.group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		t.Fatal(err)
	}
	if g := o.now(); g.State != Dead || g.Err != nil || len(g.Topics) != 0 {
		t.Errorf("of all: %+v", g)
	}
}

func TestMissingGroupIsDead(t *testing.T) {
	o := other(t, 1)
	if g := o.now(); g.State != Dead || g.Err != nil || len(g.Topics) != 0 {
		t.Errorf("%+v", g)
	}
}

func TestDeletedUnreadRecordsAreCounted(t *testing.T) {
	o := other(t, 1)
	o.put(0, 10, time.Now())
	o.commit(o.group, 0, 2)
	var gone kadm.Offsets
	gone.Add(kadm.Offset{Topic: o.topic, Partition: 0, At: 6})
	if _, err := o.c.Admin.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	if _, total, parts := o.read(); total.Waiting != 4 || total.Lost != 4 || parts[0].First != 6 {
		t.Errorf("%+v %+v", total, parts)
	}
	o.commit(o.group, 0, 6)
	if _, total, _ := o.read(); total.Waiting != 4 || total.Lost != 0 {
		t.Errorf("once it has read on: %+v", total)
	}
}

// TestRecreatedTopicCountsFromStart: other services' commits do not say
// which topic they are of, and an offset beyond the end is of none that is there.
func TestRecreatedTopicCountsFromStart(t *testing.T) {
	o := other(t, 1)
	o.put(0, 3, time.Now())
	o.commit(o.group, 0, 100)
	if _, total, _ := o.read(); total.Waiting != 3 || total.Lost != 0 {
		t.Errorf("%+v", total)
	}
}

func TestDeletedTopic(t *testing.T) {
	o := other(t, 1)
	o.commit(o.group, 0, 0)
	if o.c.Real() { // Kafka forgets a topic's offsets with it, and then the group
		o.c.Delete(o.topic)
		testkafka.Eventually(t, 20*time.Second, "nothing of the topic is left", func() bool {
			g := o.now()
			return g.Err == nil && (len(g.Topics) == 0 || errors.Is(g.Topics[0].Err, ErrNoTopic))
		})
		return
	}
	o.c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: o.topic, Err: kerr.UnknownTopicOrPartition, Count: -1})
	g := o.now()
	if len(g.Topics) != 1 || !errors.Is(g.Topics[0].Err, ErrNoTopic) || g.Err != nil || g.Topics[0].Total().Aged {
		t.Errorf("%+v", g)
	}
}

// TestOpenTransactionBoundsLag: a reader of committed transactions sees
// nothing behind its first record, and nothing of an aborted one.
func TestOpenTransactionBoundsLag(t *testing.T) {
	o := other(t, 1)
	o.put(0, 2, time.Now())
	o.commit(o.group, 0, 2)
	writer := o.c.Client(kgo.TransactionalID("test-" + o.group))
	begin := func() {
		t.Helper()
		if err := writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: o.topic, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := func(commit kgo.TransactionEndTry) {
		t.Helper()
		if err := writer.EndTransaction(t.Context(), commit); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	o.put(0, 4, time.Now()) // behind it
	if _, total, parts := o.read(); total.Waiting != 0 || parts[0].End != 2 || parts[0].HighWatermark != 7 {
		t.Errorf("while it is open: %+v %+v", total, parts)
	}
	end(kgo.TryAbort)
	// The aborted record and the marker have offsets, and count as records.
	testkafka.Eventually(t, 10*time.Second, "the records behind it wait", func() bool { _, total, _ := o.read(); return total.Waiting == 6 })
	o.commit(o.group, 0, 7)
	if _, total, parts := o.read(); total.Waiting != 0 || parts[0].Unread != nil {
		t.Errorf("behind the last record is nothing but a marker: %+v %+v", total, parts)
	}
	begin()
	end(kgo.TryAbort)
	testkafka.Eventually(t, 10*time.Second, "it can be read", func() bool { _, _, parts := o.read(); return parts[0].End == 10 })
	if _, total, _ := o.read(); total.Waiting != 0 || !total.Oldest.IsZero() {
		t.Errorf("an aborted transaction alone: %+v", total)
	}
}

func TestCompressedRecordsHaveAnAge(t *testing.T) {
	o := other(t, 1)
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for i, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		cl := o.c.Client(kgo.ProducerBatchCompression(codec))
		var batch []*kgo.Record
		for n := range 3 {
			batch = append(batch, &kgo.Record{Topic: o.topic, Timestamp: at.Add(time.Duration(3*i+n) * time.Second), Value: []byte(strings.Repeat("x", 1000))})
		}
		if err := cl.ProduceSync(t.Context(), batch...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for offset := range int64(12) { // in the middle of a batch too
		o.commit(o.group, 0, offset)
		if _, total, _ := o.read(); !total.Oldest.Equal(at.Add(time.Duration(offset) * time.Second)) {
			t.Errorf("at %d the oldest is of %s: %v", offset, total.Oldest.Sub(at), total.Unknown)
		}
	}
}

// TestOversizedBatchHasUnknownAge: it is not unpacked beyond the
// client's bound, its partition has its lag all the same, and the other its age.
func TestOversizedBatchHasUnknownAge(t *testing.T) {
	o := other(t, 2)
	bounded := o.c.Client(kgo.WithDecompressor(unpack.New(unpack.Limits{Batch: 1 << 20, Total: 64 << 20})))
	o.Sampler = NewSampler(bounded, dlq.NewLog(bounded), o.c.ID)
	writer := o.c.Client(kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(8<<20), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: o.topic, Value: make([]byte, 4<<20)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	o.put(1, 2, at)
	o.commit(o.group, 0, 0)
	_, total, parts := o.read()
	if total.Waiting != 3 || !total.Oldest.Equal(at) || parts[0].Waiting != 1 || parts[0].Unread == nil || !strings.Contains(parts[0].Unread.Error(), "kafka.window.bytes") {
		t.Errorf("%+v %+v", total, parts)
	}
}

func TestOldestRecordIsReadOnce(t *testing.T) {
	if !onFake(t) {
		return
	}
	o := other(t, 1)
	o.put(0, 5, time.Now())
	o.commit(o.group, 0, 1)
	fetched := o.c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: o.topic, Count: -1, Observe: true})
	for range 3 {
		o.read()
	}
	if n := fetched.Hits(); n != 1 {
		t.Errorf("it was read %d times", n)
	}
	o.commit(o.group, 0, 2)
	o.read()
	if n := fetched.Hits(); n != 2 {
		t.Errorf("of another offset it was read %d times", n)
	}
}

// TestErrorsDoNotAffectOtherGroups: one right that is missing, one
// partition without a leader, and all else is known.
func TestErrorsDoNotAffectOtherGroups(t *testing.T) {
	if !onFake(t) {
		return
	}
	for _, c := range []struct {
		what  string
		fault kfake.Fault
		check func(o *others, bad *Group) error
	}{
		{"READ on a topic", kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.TopicAuthorizationFailed}, func(o *others, bad *Group) error {
			total := bad.Topics[0].Total()
			if total.Waiting != 2 || total.Aged || total.Unknown == nil || total.Unknown.Error() != "not authorised: READ on topic "+o.topic+"; the age is unknown" {
				return fmt.Errorf("%+v", total)
			}
			return nil
		}},
		{"DESCRIBE on a topic", kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Err: kerr.TopicAuthorizationFailed}, func(o *others, bad *Group) error {
			if err := bad.Topics[0].Err; err == nil || err.Error() != "not authorised: DESCRIBE on topic "+o.topic {
				return fmt.Errorf("%v", err)
			}
			return nil
		}},
		{"DESCRIBE on a group", kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "bad", Err: kerr.GroupAuthorizationFailed}, func(_ *others, bad *Group) error {
			if bad.Err == nil || bad.Err.Error() != "not authorised: DESCRIBE on group bad" {
				return fmt.Errorf("%v", bad.Err)
			}
			return nil
		}},
		{"the group's offsets", kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "bad", Err: kerr.GroupAuthorizationFailed}, func(_ *others, bad *Group) error {
			if bad.Err == nil || bad.Err.Error() != "not authorised: DESCRIBE on group bad" {
				return fmt.Errorf("%v", bad.Err)
			}
			return nil
		}},
		{"one partition's end", kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Partitions: []int32{1}, Err: kerr.OffsetNotAvailable}, func(_ *others, bad *Group) error {
			total := bad.Topics[0].Total()
			if !errors.Is(total.Unknown, kerr.OffsetNotAvailable) || total.Waiting != 2 || !total.Aged {
				return fmt.Errorf("%+v", total)
			}
			return nil
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			o := other(t, 2)
			o.put(0, 3, time.Now())
			o.commit("bad", 0, 1)
			good := *o
			good.topic = o.c.Group + ".good"
			good.make(1)
			good.put(0, 4, time.Now())
			good.commit("good", 0, 1)
			c.fault.Count = -1
			if c.fault.Group == "" {
				c.fault.Topic = o.topic
			}
			o.c.Fake().Fault(c.fault)
			s, err := o.Sample(t.Context(), Want{Groups: []string{"bad", "good"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.check(o, s.Group("bad")); err != nil {
				t.Error(err)
			}
			g := s.Group("good")
			if g.Err != nil || len(g.Topics) != 1 {
				t.Fatalf("the other group: %+v", g)
			}
			if total := g.Topics[0].Total(); total.Waiting != 3 || !total.Aged || total.Unknown != nil {
				t.Errorf("the other group: %+v", total)
			}
		})
	}
}

func TestAllGroupsExcludesOtherProtocols(t *testing.T) {
	if !onFake(t) {
		return
	}
	o := other(t, 1)
	for _, group := range []string{"c", "a", "b"} {
		o.commit(group, 0, 0)
	}
	names := func(w Want) (names []string, leftOut int) {
		s, err := o.Sample(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range s.Groups {
			names = append(names, g.Name)
		}
		return names, s.LeftOut
	}
	if got, _ := names(Want{Every: true}); fmt.Sprint(got) != "[a b c]" {
		t.Errorf("all are %v", got)
	}
	if got, n := names(Want{Every: true, AtMost: 2}); fmt.Sprint(got) != "[a b]" || n != 1 {
		t.Errorf("two are %v, and %d more", got, n)
	}
	// Ours are never left out, and stand there once.
	if got, n := names(Want{Every: true, AtMost: 1, Topics: []Topic{{Name: o.topic, Group: "c"}}}); fmt.Sprint(got) != "[c a]" || n != 1 {
		t.Errorf("with ours they are %v, and %d more", got, n)
	}
}

// TestMetricsOfGroupsComeAndGo: every partition has its lag, every topic its
// age, and what is gone has neither.
func TestMetricsOfGroupsComeAndGo(t *testing.T) {
	if !onFake(t) {
		return
	}
	w := watch(t, 2)
	w.Monitor.p.Others = Config{Groups: []string{"order-service", "nobody"}}
	o := &others{t: t, c: w.c, topic: w.outbox}
	w.put(0, 3, time.Now().Add(-time.Hour))
	o.commit("order-service", 0, 1)
	w.commit(0, 2, offsets.Binding(w.c.ID, ""))
	w.now()
	for _, want := range []struct {
		group   string
		records float64
	}{{"order-service", 2}, {w.Monitor.p.OutboxGroup, 1}} {
		series := w.series("notifier_consumer_lag_records", want.group)
		if got := series[w.outbox+" 0"]; got != want.records {
			t.Errorf("%s has a lag of %v, want %v", want.group, got, want.records)
		}
		if got, there := series[w.outbox+" 1"]; got != 0 || !there {
			t.Errorf("of its empty partition %s has %v", want.group, series)
		}
		if got := w.series("notifier_consumer_lag_seconds", want.group)[w.outbox+" "]; math.Abs(got-3600) > 60 {
			t.Errorf("the oldest of %s is %v s old", want.group, got)
		}
	}
	logged := w.lines()
	if len(logged) != 1 || logged[0]["group"] != "nobody" || logged[0]["level"] != "WARN" || !strings.Contains(logged[0]["problem"].(string), "no such group") {
		t.Errorf("of the group that is not there got %v", logged)
	}
	w.now()
	if logged := w.lines(); len(logged) != 0 {
		t.Errorf("and again: %v", logged)
	}
	o.commit("nobody", 0, 0)
	if _, err := w.c.Admin.DeleteGroup(t.Context(), "order-service"); err != nil {
		t.Fatal(err)
	}
	w.now()
	if series := w.series("notifier_consumer_lag_records", "order-service"); len(series) != 0 {
		t.Errorf("of a group that is gone there is %v", series)
	}
	if series := w.series("notifier_consumer_lag_seconds", "nobody"); len(series) != 1 {
		t.Errorf("of a group that has come there is %v", series)
	}
	if logged := w.lines(); len(logged) != 2 {
		t.Errorf("got %v", logged)
	}
	w.c.Delete(w.outbox)
	testkafka.Eventually(t, 10*time.Second, "the topic's series are gone", func() bool {
		_ = w.update(t.Context()) // it says that a topic of ours is not there
		return len(w.series("notifier_consumer_lag_records", "nobody")) == 0 && len(w.series("notifier_consumer_lag_seconds", "nobody")) == 0
	})
}

// series returns a group's samples of a metric by their topic and partition.
func (w *watched) series(name, group string) map[string]float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := make(map[string]string)
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if f.GetName() == name && labels["group"] == group {
				all[labels["topic"]+" "+labels["partition"]] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

func TestTooManyGroupsAreReported(t *testing.T) {
	if !onFake(t) {
		return
	}
	w := watch(t, 1)
	w.Monitor.p.Others = Config{Groups: []string{"all"}}
	o := &others{t: t, c: w.c, topic: w.outbox}
	for i := range MaxGroups + 2 {
		o.commit(fmt.Sprintf("group-%03d", i), 0, 0)
	}
	w.now()
	logged := w.lines()
	if len(logged) != 1 || !strings.HasPrefix(logged[0]["problem"].(string), "2 groups are not monitored") || logged[0]["level"] != "WARN" {
		t.Errorf("got %v", logged)
	}
	if len(w.series("notifier_consumer_lag_records", "group-099")) == 0 || len(w.series("notifier_consumer_lag_records", "group-100")) != 0 {
		t.Error("those that are left out are not the last")
	}
}
