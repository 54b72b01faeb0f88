package dispatch

import (
	"container/heap"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/algotrade/notifier/internal/channel"
	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/digest"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/envelope"
	"github.com/algotrade/notifier/internal/obs/tracing"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/outcome"
)

// delivery is one alert on its way to the channel.
type delivery struct {
	envelope *envelope.Envelope
	entry    *offsets.Entry
	laneKey  []byte           // nil: a lane of its own
	at       offsets.Position // where it stands in the outbox
	received time.Time
	stored   time.Time // when it was written to the outbox

	span           *tracing.Span // from its first attempt on
	tries          int           // attempts begun, whether they count or not
	attempts       int
	firstTried     time.Time
	sent           time.Time // to at least one recipient, last; zero: not yet
	throttled      int       // alerts that its message speaks for as well, the first of them at throttledAt
	throttledAt    time.Time
	silence        string   // what has silenced it: the id of a silence, or a calendar
	story          story    // of its episode, as its message tells it
	saves          uint64   // the write to the state topic that says what became of it; 0: none does
	failedAt       uint64   // the channel's attempts begun when its first one ended, or when it came from a former owner
	recipients     []string // who is left; nil: all
	refused        []channel.Refusal
	lacking        []string       // recipients that its last failed attempt was for
	delivered      []string       // recipients that have it
	deferred       time.Time      // when recipients asked for a later attempt first; zero: they did not
	deferral       *outcome.Error // what they said last
	deferredUntil  time.Time      // when they are tried again
	ended          bool           // settled, or given up with its partition
	made           deliverylog.Attempts
	former         int       // attempts of former owners
	receipt        string    // of the last success
	denials        int       // times the channel was refused for it: the first, and those after a success of others
	deniedAt       uint64    // the channel's attempts begun when it was last
	deniedSince    time.Time // when that was last one of those times
	mayBeDuplicate bool
	inherited      bool         // a former owner may have sent it, or made a dead letter of it
	dead           *dlq.Entry   // set once it is to be a dead letter
	closing        *dlq.Closure // set once its dead letter is to be closed: it was delivered

	unsure   bool        // it counts in its source's sentUnsure
	stays    bool        // it does not fit into the outbox of the fallback channel
	claiming bool        // a commit is to claim it and its members
	members  []*delivery // that its message speaks for as well; see gather.go
	from     *lane       // of a member: the lane that it came from
	tied     []*lane     // other groups' lanes, which wait for its outcome
	groups   int         // of it and its members, when it was sent
	brief    bool        // its message was refused once: it is tried without the alerts' texts
}

// rule returns the name of the rule that raised it.
func (d *delivery) rule() string { return d.envelope.Alert.Rule }

// written reports whether the delivery's end is decided and only to be written.
func (d *delivery) written() bool {
	if d.dead != nil || d.closing != nil {
		return true
	}
	for _, m := range d.members {
		if m.closing != nil {
			return true
		}
	}
	return false
}

// source is one assigned partition of the outbox topic.
type source struct {
	partition *consume.Partition
	feed      *Feed         // in place of a partition; nil: there is one
	input     offsets.Input // what it is to the dedup state of another outbox
	ready     readyLanes
	inFlight  int // attempts, dead-letter writes and moves under way
	attempts  int // of these, attempts
	ending    int // deliveries whose end is decided and not yet written
	// rewritten are the entries of deliveries that a former owner may have dead-lettered
	// and that ended here, by the version that this owner wrote: a replay of an
	// older one is superseded. There are no more than a window has deliveries.
	rewritten map[string]int64
	unclaimed bool      // its next delivery waits for a commit that claims it
	recalls   time.Time // until when alerts wait for the throttles of former owners; zero: they do not
	unknown   bool      // these throttles are not known yet
	unsure    time.Time // until when resolved alerts wait for them
	// sentUnsure is how many resolved alerts were sent without them, and dropsUnsure is set
	// once others were dropped.
	sentUnsure  int
	dropsUnsure bool
	dropped     bool
	drained     chan struct{}
	unkept      bool // the delivery log did not take the record of a delivery
	// asideRecords and asideBytes are what the lanes hold that wait for a probe of
	// their rule.
	asideRecords, asideBytes int

	moving    int       // deliveries of a batch that is on its way to another channel's outbox
	moveFails int       // batches in a row that could not be put there
	moveAgain time.Time // not before this is it tried again
}

func (s *source) push(l *lane) {
	l.state = ready
	heap.Push(&s.ready, l)
}

// saturated reports whether one more attempt could make it more than limit
// deliveries that were sent and of which no commit says so: a crash would
// repeat them. It is also while a commit has to claim the next one.
func (s *source) saturated(limit int) bool { return s.unclaimed || s.uncommitted() >= limit }

// uncommitted returns how many deliveries a crash now would repeat. What is
// under way counts, since all of it can end before the next commit.
func (s *source) uncommitted() int {
	n := s.ending + s.attempts + s.moving
	if s.partition != nil {
		n += s.partition.Uncommitted()
	}
	return n
}

// holds reports whether a commit could still say that the lane's next delivery
// is finished. There is always one for which it could: the oldest of all.
func (s *source) holds(l *lane) bool {
	d := l.queue[0]
	if s.feed != nil {
		return s.feed.holds(d.entry)
	}
	return s.partition == nil || d.entry == nil || s.partition.Holds(d.entry)
}

// settle makes an offset committable.
func (s *source) settle(e *offsets.Entry) {
	if s.feed != nil {
		s.feed.settle(e)
		return
	}
	s.partition.Settle(e)
}

type laneState uint8

const (
	idle laneState = iota
	ready
	waiting // for its backoff
	flying  // an attempt or a dead-letter write is under way
	aside   // for a probe of its rule, which is suspended
)

// wait is what a waiting lane waits for, and so what may cut that short.
type wait uint8

const (
	backoffEnd wait = iota // a probe takes it at any time
	doubtEnd               // the channel's recovery cuts it short: its last attempt may have succeeded
	toldEnd                // the provider asked for it: nothing does
	windowEnd              // it gathers: only a more severe alert, or want of room, does
	stateEnd               // its throttle may not be known yet
)

// lane is the deliveries of one key, in order: the first one's outcome comes
// before the next one's first attempt.
type lane struct {
	key      laneKey
	source   *source
	number   uint64 // in the order in which lanes were made
	queue    []*delivery
	state    laneState
	due      time.Time
	wait     wait
	tried    time.Time
	attempt  uint64 // the number of its last attempt among the channel's
	backoff  *backoff.ExponentialBackOff
	index    int // in the heap of waiting or of ready lanes; -1: in neither
	severity int // the rank of the most severe of queue

	group    *digest.Group // on a channel with digests; nil: it does not gather
	groupKey digest.Key
	host     *lane // the message of that lane speaks for this one's too: it waits for the outcome
}

func (l *lane) work(d *delivery, do func()) Work {
	w := Work{Delivery: d.envelope.DedupID(), Topic: l.source.input.Topic, Offset: d.at.Offset, Do: do}
	if l.source.partition != nil {
		w.Partition = l.source.partition.ID
	}
	return w
}

// remove takes out a delivery that will not be tried here.
func (l *lane) remove(d *delivery) {
	if l.queue[0] == d {
		l.pop()
		l.backoff, l.tried = nil, time.Time{}
		return
	}
	i := slices.Index(l.queue, d)
	l.queue = slices.Delete(l.queue, i, i+1)
	l.calm(d)
}

// pop removes the first delivery and returns it.
func (l *lane) pop() *delivery {
	d := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	l.calm(d)
	return d
}

type laneKey struct {
	source *source
	key    string
	own    *delivery // for the null key
	// deferred: some recipients have its deliveries, and others are to be tried again.
	deferred bool
	aside    bool   // it has stepped aside: it holds one rule's deliveries
	rule     string // that rule
}

// release ends one of the things under way.
func (s *source) release() {
	s.inFlight--
	if s.dropped && s.inFlight == 0 {
		close(s.drained)
	}
}

func (k laneKey) besides(rule string) laneKey {
	k.aside, k.rule = true, rule
	return k
}
