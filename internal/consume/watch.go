package consume

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/health/brokers"
	"github.com/algotrade/notifier/internal/offsets"
)

// watchInterval is how often topic ids are compared and rests are ended.
const watchInterval = 3 * time.Second

// looksFrom is the watchInterval of the first look at where the logs begin and
// end; the next follows whenever the view of the brokers has another answer,
// every brokers.LogsAge.
const looksFrom = 5

// stillAfter is how many looks in a row must find a partition where it was
// before that is a condition: a minute, longer than a producer's transaction
// lasts in the ordinary course. Looks and not a clock, so that a process that
// was frozen does not blame others when it wakes.
const stillAfter = 4

// watch looks after what kgo says nothing about, until ctx ends.
func (m *Member) watch(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	followed := make(map[string]string)
	var looked time.Time
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-m.again:
			m.followTopics(ctx, followed, 0)
			continue
		case <-tick.C:
		}
		m.checkSubscription(ctx)
		m.followTopics(ctx, followed, brokers.MetadataAge)
		if n >= looksFrom {
			looked = m.lookAtOffsets(ctx, looked)
		}
		m.endRests()
	}
}

// followTopics notices topics that were deleted and made again, which kgo
// refuses to follow on its own: it would wait for the old one forever.
// followed is the instance to which each was followed last.
// The metadata is younger than maxAge.
func (m *Member) followTopics(ctx context.Context, followed map[string]string, maxAge time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	details, err := m.view.Topics(ctx, maxAge, m.p.Topics...)
	if err != nil {
		return
	}
	ids := make(map[string]string, len(details))
	for name, d := range details {
		if d.Err == nil {
			ids[name] = envelope.TopicID(d.ID)
		}
	}
	resubscribed := make(map[string]bool)
	for _, p := range m.partitions() {
		id, old := ids[p.Topic], p.TopicID()
		recreated := old != "" && old != id && followed[p.Topic] != id
		// The client may have looked the topic up before it was made again, and we after.
		if unknown := p.unknown.Swap(false); id != "" && (recreated || unknown) {
			resubscribed[p.Topic] = true
		}
	}
	for topic := range resubscribed {
		followed[topic] = ids[topic]
		m.sayRecreated(topic)
		m.purge(topic)
		m.conditions.Clear(health.Recreated, topic)
	}
}

// sayRecreated says that a topic was deleted and made again while we read it.
// Of our own topics, what was taken from the old one and is not settled is lost
// with it; there may be more that was never read.
func (m *Member) sayRecreated(topic string) {
	waiting := 0
	for _, p := range m.partitions() {
		if p.Topic == topic {
			n, _ := p.load()
			waiting += n
		}
	}
	if !m.p.OwnTopics {
		m.log.Warn("topic was recreated, following the new one", "topic", topic)
		return
	}
	m.metrics.lostRecords.WithLabelValues(topic).Add(float64(waiting))
	m.log.Error("topic was recreated: what waited in the old one is lost; 'notifier run --start TIME' raises its alerts again",
		"topic", topic, "waited", waiting)
}

// look is what was seen of a partition.
type look struct {
	at           time.Time
	next, stable int64
	settled      int64
	finished     int
	// For how many looks in a row records waited and none was read, the same
	// transaction was open, and what was read waited and none was finished.
	reading, txn, handling still
}

// still counts looks in a row that saw the same.
type still struct {
	looks int
	since time.Time // of the first of them
}

func (s still) again(same bool, since time.Time) still {
	if !same {
		return still{}
	}
	if s.looks == 0 {
		s.since = since
	}
	s.looks++
	return s
}

// lookAtOffsets compares every partition with the log of its broker, if that was
// asked for after the last look, and returns when it was asked for.
func (m *Member) lookAtOffsets(ctx context.Context, last time.Time) time.Time {
	// What is not answered is not judged: when a broker is gone or a topic
	// missing, the monitor says so.
	logs, at, err := m.view.Logs(ctx, brokers.LogsAge, m.p.Topics...)
	if err != nil || !at.After(last) {
		return last
	}
	for _, p := range m.partitions() {
		if l := logs[p.Topic][p.ID]; l != nil && l.Err == nil {
			m.judge(ctx, p, *l)
		}
	}
	return at
}

// judge decides from one more look whether a partition moves.
func (m *Member) judge(ctx context.Context, p *Partition, l brokers.Log) {
	p.mu.Lock()
	if !p.started || p.fenced || p.frozen {
		p.mu.Unlock()
		return
	}
	patient := m.p.OwnTopics || slices.Contains(m.p.Patient, p.Topic)
	now := p.sight(l, patient)
	p.look = now
	records := p.records()
	gone := p.passed(l, now.reading.looks)
	sizing := p.unread == health.Corrupt && p.bad.end == 0
	if now.txn.looks == 0 {
		p.goOn(health.Transaction)
	}
	if now.reading.looks == 0 && now.handling.looks == 0 {
		p.goOn(health.Progress)
	}
	explained := p.blocked != "" || p.unread == health.Corrupt || p.unread == health.TooLarge
	p.mu.Unlock()
	if sizing {
		m.measure(ctx, p, now.next)
	}
	switch {
	case gone > 0:
		m.lost(p, gone)
	case explained:
	case now.txn.looks >= stillAfter:
		m.openTransaction(ctx, p, l, now.txn.since)
	case now.reading.looks >= stillAfter:
		m.unreadable(p, health.Progress, func(int64) string {
			return fmt.Sprintf("%s is not read: %s waiting since %s, from offset %d on, and the broker that leads the partition brings none. "+
				"Look after that broker; if it is well, restart the daemon", p.name(), countRecords(l.Stable-now.next), clock(now.reading.since), now.next)
		})
		if now.reading.looks >= 2*stillAfter {
			m.readAnew(p.Topic)
		}
	case now.handling.looks >= stillAfter:
		m.unreadable(p, health.Progress, func(int64) string {
			return fmt.Sprintf("%s does not move: %s waiting since %s, the last one handled was offset %d. "+
				"This is a defect of ours: end the daemon with SIGQUIT, which prints where it stands, restart it and report that", p.name(), countRecords(int64(records)), clock(now.handling.since), now.settled-1)
		})
	}
}

// resubscribeEvery is how often a topic is subscribed to again that is not read: where
// that did not help, it is the broker, and its partitions should stay in one hand.
const resubscribeEvery = time.Hour

// readAnew has the client forget a topic and subscribe to it again, as a new process
// would. The client may have lost sight of a partition, for example of a topic
// that is recreated while the group rebalances.
func (m *Member) readAnew(topic string) {
	if last, ok := m.resubscribed[topic]; ok && time.Since(last) < resubscribeEvery {
		return
	}
	m.resubscribed[topic] = time.Now()
	m.log.Warn("topic is not read, subscribing again", "topic", topic)
	m.purge(topic)
}

// sight is what is seen now. patient says that what is read may wait for as
// long as a channel is down. p.mu is held.
func (p *Partition) sight(l brokers.Log, patient bool) look {
	old := p.look
	now := look{at: time.Now(), next: p.next, stable: l.Stable, settled: p.tracker.Watermark().Offset, finished: p.tracker.Finished()}
	if p.next < 0 { // nothing was committed: it is read from the beginning
		now.next = l.Start
	}
	unmoved := !old.at.IsZero() && old.next == now.next
	now.reading = old.reading.again(unmoved && !p.paused && now.next < l.Stable, old.at)
	now.txn = old.txn.again(unmoved && now.next >= l.Stable && l.Stable < l.End && old.stable == l.Stable, old.at)
	now.handling = old.handling.again(!patient && !old.at.IsZero() && p.records() > 0 && old.settled == now.settled && old.finished == now.finished, old.at)
	return now
}

// passed returns how many records retention has deleted before they were read,
// where nothing is left behind them that would tell by its arrival. p.mu is
// held.
func (p *Partition) passed(l brokers.Log, looks int) int64 {
	if looks < 2 || p.next < 0 || p.next >= l.Start {
		return 0
	}
	n := l.Start - p.next
	p.next, p.queuedTo = l.Start, offsets.Position{Epoch: l.Epoch, Offset: l.Start}
	p.goOn(health.Corrupt, health.TooLarge)
	return n
}

// records returns how many are queued, taken or unsettled; p.mu is held.
func (p *Partition) records() int {
	return len(p.queue) + p.taken + p.tracker.Unsettled()
}

// openTransaction says which producer keeps a partition from being read on.
func (m *Member) openTransaction(ctx context.Context, p *Partition, l brokers.Log, since time.Time) {
	who := "which producer it is, the brokers do not say"
	topics := make(kadm.TopicsSet)
	topics.Add(p.Topic, p.ID)
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if described, err := m.admin.DescribeProducers(ctx, topics); err == nil {
		for _, d := range described.SortedProducers() {
			if d.CurrentTxnStartOffset == l.Stable { // what may be read ends where the oldest begins
				who = fmt.Sprintf("it is producer id %d, which wrote last at %s", d.ProducerID, clock(time.UnixMilli(d.LastTimestamp)))
			}
		}
	}
	m.unreadable(p, health.Transaction, func(int64) string {
		return fmt.Sprintf("a producer's transaction has been open on %s since %s: %s from offset %d on cannot be read until it ends; %s. "+
			"End it there, or abort it: 'kafka-transactions.sh --bootstrap-server %s abort --topic %s --partition %d --start-offset %d'",
			p.name(), clock(since), countRecords(l.End-l.Stable), l.Stable, who, m.brokers(), p.Topic, p.ID, l.Stable)
	})
}

func countRecords(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
