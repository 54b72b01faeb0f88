package consume

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/offsets"
)

// watchInterval is how often topic ids are compared and rests are ended.
const watchInterval = 3 * time.Second

// lookEvery is how many watchIntervals lie between two looks at where the logs
// begin and end: three small requests for all topics.
const lookEvery = 5

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
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-m.again:
			m.followTopics(ctx, followed)
			continue
		case <-tick.C:
		}
		m.followTopics(ctx, followed)
		if n%lookEvery == 0 {
			m.lookAtOffsets(ctx)
		}
		m.endRests()
	}
}

// followTopics notices topics that were deleted and made again, which kgo
// refuses to follow on its own: it would wait for the old one for ever.
// followed is the instance to which each was followed last.
func (m *Member) followTopics(ctx context.Context, followed map[string]string) {
	ctx, cancel := context.WithTimeout(ctx, watchInterval)
	defer cancel()
	ids, err := topicIDs(ctx, m.admin, m.p.Topics)
	if err != nil {
		return
	}
	anew := make(map[string]bool)
	for _, p := range m.partitions() {
		id, old := ids[p.Topic], p.TopicID()
		recreated := old != "" && old != id && followed[p.Topic] != id
		// The client may have looked the topic up before it was made again, and we after.
		if unknown := p.unknown.Swap(false); id != "" && (recreated || unknown) {
			anew[p.Topic] = true
		}
	}
	for topic := range anew {
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

// reach is where a partition's log begins, up to where it may be read, and
// where it ends: the last two differ while a transaction is open.
type reach struct {
	begin, stable, end int64
	epoch              int32 // of the first record
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

// lookAtOffsets compares every partition with the log of its broker.
func (m *Member) lookAtOffsets(ctx context.Context) {
	askCtx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	// What is not answered is not judged: when a broker is gone or a topic
	// missing, the monitor says so.
	var begins, stables, ends kadm.ListedOffsets
	var wg sync.WaitGroup
	wg.Go(func() { begins, _ = m.admin.ListStartOffsets(askCtx, m.p.Topics...) })
	wg.Go(func() { stables, _ = m.admin.ListCommittedOffsets(askCtx, m.p.Topics...) })
	wg.Go(func() { ends, _ = m.admin.ListEndOffsets(askCtx, m.p.Topics...) })
	wg.Wait()
	for _, p := range m.partitions() {
		begin, ok1 := begins.Lookup(p.Topic, p.ID)
		stable, ok2 := stables.Lookup(p.Topic, p.ID)
		end, ok3 := ends.Lookup(p.Topic, p.ID)
		if ok1 && ok2 && ok3 && begin.Err == nil && stable.Err == nil && end.Err == nil {
			m.judge(ctx, p, reach{begin: begin.Offset, stable: stable.Offset, end: end.Offset, epoch: begin.LeaderEpoch})
		}
	}
}

// judge decides from one more look whether a partition moves.
func (m *Member) judge(ctx context.Context, p *Partition, l reach) {
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
				"Look after that broker; if it is well, start the daemon anew", p.name(), countRecords(l.stable-now.next), clock(now.reading.since), now.next)
		})
		if now.reading.looks >= 2*stillAfter {
			m.readAnew(p.Topic)
		}
	case now.handling.looks >= stillAfter:
		m.unreadable(p, health.Progress, func(int64) string {
			return fmt.Sprintf("%s does not move: %s waiting since %s, the last one handled was offset %d. "+
				"This is a defect of ours: end the daemon with SIGQUIT, which prints where it stands, start it anew and report that", p.name(), countRecords(int64(records)), clock(now.handling.since), now.settled-1)
		})
	}
}

// readAnewEvery is how often a topic is asked for anew that is not read: where
// that did not help, it is the broker, and its partitions should stay in one hand.
const readAnewEvery = time.Hour

// readAnew has the client forget a topic and ask for it anew, as a new process
// would. The client may have lost sight of a partition, for example of a topic
// that is made anew while the group rebalances.
func (m *Member) readAnew(topic string) {
	if last, ok := m.anew[topic]; ok && time.Since(last) < readAnewEvery {
		return
	}
	m.anew[topic] = time.Now()
	m.log.Warn("topic is not read, asking for it anew", "topic", topic)
	m.purge(topic)
}

// sight is what is seen now. patient says that what is read may wait for as
// long as a channel is down. p.mu is held.
func (p *Partition) sight(l reach, patient bool) look {
	old := p.look
	now := look{at: time.Now(), next: p.next, stable: l.stable, settled: p.tracker.Watermark().Offset, finished: p.tracker.Finished()}
	if p.next < 0 { // nothing was committed: it is read from the beginning
		now.next = l.begin
	}
	unmoved := !old.at.IsZero() && old.next == now.next
	now.reading = old.reading.again(unmoved && !p.paused && now.next < l.stable, old.at)
	now.txn = old.txn.again(unmoved && now.next >= l.stable && l.stable < l.end && old.stable == l.stable, old.at)
	now.handling = old.handling.again(!patient && !old.at.IsZero() && p.records() > 0 && old.settled == now.settled && old.finished == now.finished, old.at)
	return now
}

// passed returns how many records retention has deleted before they were read,
// where nothing is left behind them that would tell by its arrival. p.mu is
// held.
func (p *Partition) passed(l reach, looks int) int64 {
	if looks < 2 || p.next < 0 || p.next >= l.begin {
		return 0
	}
	n := l.begin - p.next
	p.next = l.begin
	if p.records() == 0 {
		p.tracker.Advance(offsets.Position{Epoch: l.epoch, Offset: l.begin})
		p.dirty = true
	}
	p.goOn(health.Corrupt, health.TooLarge)
	return n
}

// records returns how many are queued, taken or unsettled; p.mu is held.
func (p *Partition) records() int { return len(p.queue) + p.taken + p.tracker.Unsettled() }

// openTransaction says which producer keeps a partition from being read on.
func (m *Member) openTransaction(ctx context.Context, p *Partition, l reach, since time.Time) {
	who := "which producer it is, the brokers do not say"
	topics := make(kadm.TopicsSet)
	topics.Add(p.Topic, p.ID)
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if described, err := m.admin.DescribeProducers(ctx, topics); err == nil {
		for _, d := range described.SortedProducers() {
			if d.CurrentTxnStartOffset == l.stable { // what may be read ends where the oldest begins
				who = fmt.Sprintf("it is producer id %d, which wrote last at %s", d.ProducerID, clock(time.UnixMilli(d.LastTimestamp)))
			}
		}
	}
	m.unreadable(p, health.Transaction, func(int64) string {
		return fmt.Sprintf("a producer's transaction has been open on %s since %s: %s from offset %d on cannot be read until it ends; %s. "+
			"End it there, or abort it: 'kafka-transactions.sh --bootstrap-server %s abort --topic %s --partition %d --start-offset %d'",
			p.name(), clock(since), countRecords(l.end-l.stable), l.stable, who, m.brokers(), p.Topic, p.ID, l.stable)
	})
}

func countRecords(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }
