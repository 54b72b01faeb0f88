package consume

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/health"
	"github.com/algotrade/notifier/internal/offsets"
)

// Partition is one assignment of one partition to this member: from being
// assigned to being revoked. What is done to it afterwards changes nothing.
type Partition struct {
	Topic string
	ID    int32

	member *Member
	ctx    context.Context // ends when the partition is revoked or the member stops
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when the handler has returned
	ready  chan struct{} // size 1: there is something in queue

	// unknown is set when a broker says that it does not know the topic which the
	// client asks for.
	unknown atomic.Bool

	mu      sync.Mutex // guards all below
	started bool       // the handler runs
	frozen  bool       // waits for an operator's decision
	flow
	progress
	claims
	state
	marking *marking // of a topic whose records are marked; nil: they are not
}

// flow is what a partition holds in memory, and what is fetched next.
type flow struct {
	queue     []*kgo.Record
	arrived   time.Time        // when the oldest record in queue came
	handed    time.Time        // the same of the records that Next returned
	next      int64            // where the next record is expected; -1: not known
	handedTo  int64            // behind the last record that Next returned
	queuedTo  offsets.Position // behind what the last poll has queued, and what of it is never queued
	taken     int              // records handed out and not advanced over (in-order stages)
	bytes     int              // of everything queued, taken or unsettled
	takenSize int
	paused    bool
	restUntil time.Time // not zero: nothing is fetched until then
}

// progress is what of a partition is settled, and what the group knows of that.
type progress struct {
	topicID          string
	tracker          *offsets.Tracker
	dedup            *offsets.Dedup // as restored, for the handler
	fenced           bool           // revoked or lost: nothing is committed any longer
	committed        offsets.Position
	known            bool         // the coordinator has this commit
	sentFinished     int          // the tracker's Finished when the last commit that succeeded was taken
	doubt            time.Time    // when a commit was last slow to be answered; zero: none since one was sent for it
	dirty            bool         // something to commit since the last snapshot
	fromStart        bool         // the committed offset belongs to a topic that is gone
	span             int64        // where reading began of which nothing was passed over since
	again            int64        // when a person had all events evaluated again: see offsets.NewInput
	beganAt, endedAt int64        // the committed offset, and the end of the log, when this assignment began
	above            offsets.Gaps // what a former owner left above beganAt
	onCommit         func()
}

// state is why a partition makes no progress.
type state struct {
	blocked string      // why the handler waits; empty: it does not
	unread  health.Type // why nothing can be read; empty: it can
	bad     badBatch    // the batch that cannot be decoded
	look    look        // what the last look at the brokers saw
}

// errRevoked and errStopping are the causes with which a partition's context ends.
var (
	errRevoked  = errors.New("partition revoked")
	errStopping = errors.New("stopping")
)

// TopicID returns the id of the topic as of this assignment; empty where the
// broker has no topic ids.
func (p *Partition) TopicID() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.topicID
}

// Input names the partition as what outbox records are made of.
func (p *Partition) Input() offsets.Input {
	p.mu.Lock()
	defer p.mu.Unlock()
	return offsets.NewInput(p.topicID, p.ID, p.span, p.again)
}

// Advance says that every record handed out by Next is settled. It is for
// stages that handle records in order; see AdvanceTo for n.
func (p *Partition) Advance(last *kgo.Record, n int) {
	p.mu.Lock()
	arrived := p.handed
	p.mu.Unlock()
	p.member.metrics.processingOf[p.Topic].Observe(time.Since(arrived).Seconds())
	p.AdvanceTo(offsets.Position{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}, n)
	p.Release()
}

// AdvanceTo says that everything below a position is settled, for a stage that
// keeps its own account of what is not. n is how much a crash would now do again,
// which Uncommitted counts: without any, the commit has time.
func (p *Partition) AdvanceTo(next offsets.Position, n int) {
	p.mu.Lock()
	p.tracker.Advance(next, n)
	p.dirty = true
	crowded := p.crowded()
	p.mu.Unlock()
	if n > 0 {
		p.member.pace.commit(crowded)
	}
}

// Present reports whether this record was in the log when this assignment
// began: its writer knows nothing of what has happened since.
func (p *Partition) Present(r *kgo.Record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.Offset < p.endedAt
}

// Begin says that the next record handed out needs work; Settle ends that.
// Records are begun in order, each exactly once.
func (p *Partition) Begin(r *kgo.Record, origin offsets.Origin) *offsets.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.size(r)
	p.taken--
	p.takenSize -= n
	p.dirty = true
	if r.Offset < p.tracker.Next().Offset { // the log was cut off: these are other records
		p.above, p.tried, p.former = offsets.NoGaps, nil, offsets.Unmarked
	}
	e := p.tracker.Begin(positionOf(r), n, p.handed, origin)
	if p.member.p.OwnTopics {
		p.tracker.Try(e, p.formerly(r))
	}
	return e
}

// Settle says that nothing more is owed for a record. After a revoke it
// changes nothing, and reports false.
func (p *Partition) Settle(e *offsets.Entry) bool {
	p.mu.Lock()
	if p.fenced || e.Settled() {
		p.mu.Unlock()
		return false
	}
	p.tracker.Settle(e)
	p.free(e.Size())
	p.dirty = true
	crowded := p.crowded()
	p.mu.Unlock()
	p.member.metrics.processingOf[p.Topic].Observe(time.Since(e.Arrived()).Seconds())
	p.member.roomMade(p)
	p.member.pace.commit(crowded)
	return true
}

// Dedup returns a copy of the dedup state that was committed with the position
// at which this assignment started.
func (p *Partition) Dedup() *offsets.Dedup {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dedup.Clone()
}

// Committed returns the position below which this partition is committed.
func (p *Partition) Committed() offsets.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.committed
}

// Uncommitted returns how many deliveries were settled since the last commit was
// taken: what a crash now would do again.
func (p *Partition) Uncommitted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.uncommitted()
}

func (p *Partition) uncommitted() int { return p.tracker.Finished() - p.sentFinished }

// crowded reports whether a commit is not to wait any longer; p.mu is held.
func (p *Partition) crowded() bool { return p.uncommitted() >= commitAt }

// Holds reports whether a commit could still say so if this record were
// settled now: the list of what is unfinished has a limit.
func (p *Partition) Holds(e *offsets.Entry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gaps() < offsets.MaxGaps || !p.tracker.Splits(e)
}

// gaps returns how many runs of unfinished records a commit has to list; p.mu
// is held.
func (p *Partition) gaps() int {
	return p.tracker.Gaps() + p.above.Count(p.tracker.Next().Offset)
}

// Crowds reports whether so many unsettled records, of so many bytes, would take
// half of the window, or with others most of a commit's list: what is read behind
// them is soon not read, or not begun.
func (p *Partition) Crowds(records, bytes int) bool {
	share := p.member.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	return 2*records > p.member.p.Window.Records || 2*bytes > share || 2*records > offsets.MaxGaps && 4*p.gaps() > 3*offsets.MaxGaps
}

// Crowded reports whether half of the window is used, or three quarters of a commit's
// list: what waits by choice is not to wait any longer.
func (p *Partition) Crowded() bool {
	share := p.member.share()
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.member.p.Window
	return 2*p.records() > w.Records || 2*p.bytes > share && 2*int(p.member.bytes.Load()) > w.Bytes || 4*p.gaps() > 3*offsets.MaxGaps
}

// Finished reports whether a former owner has finished this record, although
// one before it was not.
func (p *Partition) Finished(r *kgo.Record) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.above.Settled(r.Offset, p.beganAt)
}

// OnCommit has f called after each commit of this partition, whether it succeeded or
// not.
func (p *Partition) OnCommit(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.onCommit = f
}

// Hold says why the partition does not move, for people to see; "" when it
// moves again.
func (p *Partition) Hold(reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked != reason && !p.fenced {
		p.blocked = reason
		p.blockedChanged()
	}
}

func positionOf(r *kgo.Record) offsets.Position {
	return offsets.Position{Epoch: r.LeaderEpoch, Offset: r.Offset}
}
