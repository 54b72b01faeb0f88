package simulation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/consume"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/offsets"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/simulation/oracle"
	"github.com/algotrade/notifier/internal/simulation/seen"
	"github.com/algotrade/notifier/internal/topics"
)

const (
	group       = "notification-service"
	cluster     = "cluster"
	uncommitted = 4 // small, so that short schedules come to it
	maxReplays  = 3
)

// world is everything there is: what the brokers keep, the processes, and the
// providers' moods.
type world struct {
	rng     *rand.Rand
	began   time.Time
	broken  mutation // what is wrong with this world, to see that the judge finds it
	judge   *oracle.Judge
	history []oracle.Happening
	log     *slog.Logger
	told    map[string]int // warnings, by how their message begins
	unsaid  int            // things that should have been said, and were not
	strays  []string       // topics that were written to and are no outboxes

	sources  []*topicLog
	outboxes map[string][]*topicLog // by channel
	former   []*topicLog            // outboxes that were deleted
	dead     *topicLog
	replay   *topicLog
	commits  map[*topicLog]*consume.Committed
	setBack  map[*topicLog]bool // by a commit that was carried out behind a later one

	reach    map[oracle.Place]map[int]bool // which processes may have sent a delivery, and know no better
	muddled  map[*topicLog]bool            // an older commit counts than the one that was answered
	unmarked []string                      // what was sent again, and not marked

	rules    int  // their version
	fixed    bool // what was poison can be decoded now
	moods    map[string]mood
	well     bool // nothing fails from now on
	events   int
	requests int
	moves    int

	processes []*process // living ones, and those that still write
	born      int
}

// mood is how a provider answers.
type mood int

const (
	fine mood = iota
	flaky
	down
	limiting
	suspending
)

// channels: desk is for people, one partition; hook has two, and null keys.
var channels = []string{"desk", "hook"}

// topicLog is one partition of a topic.
type topicLog struct {
	topic, id string
	instance  int
	partition int32
	records   []*kgo.Record
}

func (l *topicLog) end() int64 { return int64(len(l.records)) }

func (l *topicLog) place(offset int64) oracle.Place {
	return oracle.Place{Topic: l.topic, Instance: l.instance, Partition: l.partition, Offset: offset}
}

// append adds a record as a broker does.
func (l *topicLog) append(r *kgo.Record) *kgo.Record {
	at := *r
	at.Topic, at.Partition, at.Offset, at.LeaderEpoch, at.Timestamp = l.topic, l.partition, l.end(), 1, time.Now()
	l.records = append(l.records, &at)
	return &at
}

func newWorld(seed uint64, broken mutation) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 1)), began: time.Now(), broken: broken,
		judge: oracle.New(oracle.Limits{Uncommitted: uncommitted}), told: make(map[string]int),
		outboxes: make(map[string][]*topicLog), commits: make(map[*topicLog]*consume.Committed), setBack: make(map[*topicLog]bool), reach: make(map[oracle.Place]map[int]bool), muddled: make(map[*topicLog]bool), moods: make(map[string]mood),
		rules: 1,
	}
	w.log = slog.New(&warnings{told: w.told})
	source := string(topics.TradeExecutions)
	for i := range int32(1 + w.rng.IntN(2)) {
		w.sources = append(w.sources, &topicLog{topic: source, id: "source-id", partition: i})
	}
	for i, c := range channels {
		for p := range int32(1 + i) {
			w.outboxes[c] = append(w.outboxes[c], &topicLog{topic: topics.Outbox(group, c), id: "outbox-id-" + c, partition: p})
		}
	}
	w.dead = &topicLog{topic: topics.DeadLetter(group, topics.TradeExecutions), id: "dead-letters-id"}
	w.replay = &topicLog{topic: topics.Replay(group), id: "replay-id"}
	return w
}

// warnings counts what is logged, by the message up to its colon.
type warnings struct{ told map[string]int }

func (*warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (h *warnings) Handle(_ context.Context, r slog.Record) error {
	what, _, _ := strings.Cut(r.Message, ":")
	h.told[what]++
	return nil
}
func (h *warnings) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *warnings) WithGroup(string) slog.Handler      { return h }

// happened adds to the history.
func (w *world) happened(h oracle.Happening) {
	h.At = time.Since(w.began)
	w.history = append(w.history, h)
	w.judge.Add(h)
}

// chance is true n times in a hundred, and never once all is well.
func (w *world) chance(n int) bool { return !w.well && w.rng.IntN(100) < n }

// inputs returns the partitions that ingest or dispatch reads.
func (w *world) inputs(stage stage) []*topicLog {
	if stage == matching {
		return append(slices.Clone(w.sources), w.replay)
	}
	var all []*topicLog
	for _, c := range channels {
		all = append(all, w.outboxes[c]...)
	}
	return all
}

// produce adds an event. Its value says what it is: quiet, an alert, or poison.
func (w *world) produce() bool {
	if w.events >= 24 || w.well {
		return false
	}
	w.events++
	r := &kgo.Record{}
	switch n := w.rng.IntN(10); {
	case n < 2:
		r.Value = fmt.Appendf(nil, "quiet %d", w.events)
	case n < 3:
		r.Value = fmt.Appendf(nil, "poison %d\x00\xff", w.events)
	case n < 4:
		r.Value = nil // null: stands for an alert here, to see that null survives
	default:
		r.Value = fmt.Appendf(nil, "alert %d", w.events)
	}
	r.Key = [][]byte{nil, {}, []byte("a"), []byte("b"), []byte("c\xfe")}[w.rng.IntN(5)]
	headers := []kgo.RecordHeader{
		{Key: "", Value: nil}, {Key: "trace", Value: []byte{}}, {Key: "trace", Value: []byte("\x00\xff")}, {Key: "notifier.version", Value: []byte("9")},
	}
	for range w.rng.IntN(4) {
		r.Headers = append(r.Headers, headers[w.rng.IntN(len(headers))])
	}
	l := w.sources[w.rng.IntN(len(w.sources))]
	at := l.append(r)
	w.happened(oracle.Happening{Kind: oracle.Produced, Place: l.place(at.Offset), Digest: oracle.Digest(at.Key, at.Value, at.Headers)})
	return true
}

// appendOutbox is a broker taking a write to an outbox.
func (w *world) appendOutbox(by int, l *topicLog, r *kgo.Record) {
	at := l.append(r)
	h, e, err := seen.Queued(at)
	if err != nil {
		panic(err)
	}
	h.By, h.Place = by, l.place(at.Offset)
	h.From = w.origin(e.From.Input).place(e.From.From.Offset)
	h.Policy.Event = e.Alert.EventTime.Sub(w.began)
	w.happened(h)
}

// outbox returns the logs of an outbox topic; nil: it is none.
func (w *world) outbox(topic string) []*topicLog {
	for _, c := range channels {
		if w.outboxes[c][0].topic == topic {
			return w.outboxes[c]
		}
	}
	return nil
}

// origin returns the log that an outbox record was made of.
func (w *world) origin(in offsets.Input) *topicLog {
	for _, l := range slices.Concat(w.inputs(matching), w.inputs(delivering), w.former) {
		if l.id == in.Topic && l.partition == in.Partition {
			return l
		}
	}
	panic("made of nothing: " + in.Topic)
}

// appendEntry is a broker taking a dead letter.
func (w *world) appendEntry(by int, e *dlq.Entry) {
	at := w.dead.append(e.Encode(w.dead.topic))
	h, _, err := seen.DeadLetter(at)
	if err != nil {
		panic(err)
	}
	h.By, h.Group, h.Place = by, topics.OutboxGroup(group), w.dead.place(at.Offset)
	if r := e.Envelope.Replay; r != nil {
		h.Version = r.Version + 1
	}
	w.happened(h)
}

// appendClosing is a broker taking a tombstone.
func (w *world) appendClosing(by int, c *dlq.Closure) {
	at := w.dead.append(c.Encode())
	c.Offset = at.Offset
	w.happened(oracle.Happening{Kind: oracle.Closed, By: by, Place: w.dead.place(at.Offset), ID: string(c.Key), Result: oracle.Result(c.State)})
}

// entries returns the last record of each dead letter that is open.
func (w *world) entries() []*dlq.Entry {
	last := make(map[string]*kgo.Record)
	for _, r := range w.dead.records {
		last[string(r.Key)] = r
	}
	var open []*dlq.Entry
	for _, r := range w.dead.records {
		if r.Value != nil && last[string(r.Key)] == r {
			open = append(open, dlq.Parse(r))
		}
	}
	return open
}

// request requests a replay of a dead letter, once or twice.
func (w *world) request() bool {
	entries := w.entries()
	if len(entries) == 0 || w.requests >= 8 || w.well {
		return false
	}
	e := entries[w.rng.IntN(len(entries))]
	for range 1 + w.rng.IntN(2) {
		w.requests++
		q := replay.Request{
			Entry: e.ID, Source: topics.TradeExecutions, Version: e.Offset, Channel: e.Envelope.Channel,
			Force: e.State == dlq.Quarantined, By: "ann", Run: "rp", Total: 1,
		}
		at := w.replay.append(q.Record(group))
		w.happened(oracle.Happening{Kind: oracle.Requested, Place: w.replay.place(at.Offset), Entry: e.ID, Version: e.Offset})
	}
	return true
}

// discard closes a dead letter as an operator does.
func (w *world) discard() bool {
	entries := w.entries()
	if len(entries) == 0 || w.well {
		return false
	}
	e := entries[w.rng.IntN(len(entries))]
	w.appendClosing(0, &dlq.Closure{Topic: e.Topic, Partition: e.Partition, Key: e.Key, Closing: dlq.Closing{State: dlq.Discarded, By: "bob", At: time.Now()}})
	return true
}

// print writes the last part of the history.
func (w *world) print(out io.Writer, last int) {
	from := max(0, len(w.history)-last)
	for i, h := range w.history[from:] {
		fmt.Fprintf(out, "%5d %s\n", from+i, h)
	}
}

// text is the whole history.
func (w *world) text() string {
	var b strings.Builder
	w.print(&b, len(w.history))
	return b.String()
}
