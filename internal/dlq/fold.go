package dlq

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/instant"
	"github.com/algotrade/notifier/internal/topics"
)

// Fold knows the last version of every entry that is not closed: it reads the
// dead-letter topics from their beginning and goes on as they grow. It holds
// 20 to 40 bytes an entry.
type Fold struct {
	log    *Log
	names  []string
	source map[string]topics.Name
	logger *slog.Logger
	seed   maphash.Seed

	changed chan struct{} // size 1: something was read
	ready   chan struct{} // closed once everything is read that stood there at the start

	mu     sync.Mutex
	topics map[string]*folded
}

type folded struct {
	id         string // the topic's; another one: it was made anew
	generation int
	next       int64 // everything below is folded
	entries    map[uint64]standing
	oldest     int64 // earliest first failure among entries, in minutes; 0: look again
}

// standing is the last version of an entry in 64 bits, since a Fold has one for
// each: the offset in the upper 38, which is good for 270 billion records of
// one topic; when it first failed, in minutes since 2020, in the next 25; and
// whether it is quarantined.
type standing uint64

const (
	sinceBits = 25
	epoch2020 = 1577836800 // unix seconds
)

func newStanding(offset int64, since time.Time, quarantined bool) standing {
	minutes := min(max((since.Unix()-epoch2020)/60, 1), 1<<sinceBits-1)
	s := standing(offset)<<(sinceBits+1) | standing(minutes)<<1
	if quarantined {
		s |= 1
	}
	return s
}

func (s standing) offset() int64     { return int64(s >> (sinceBits + 1)) }
func (s standing) minutes() int64    { return int64(s>>1) & (1<<sinceBits - 1) }
func (s standing) quarantined() bool { return s&1 != 0 }

// NewFold returns a fold of the group's dead letters; Run reads them.
func NewFold(log *Log, group string, logger *slog.Logger) *Fold {
	f := &Fold{
		log: log, logger: logger, seed: maphash.MakeSeed(), source: make(map[string]topics.Name),
		changed: make(chan struct{}, 1), ready: make(chan struct{}), topics: make(map[string]*folded),
	}
	for _, n := range topics.All() {
		name := topics.DeadLetter(group, n)
		f.names = append(f.names, name)
		f.source[name] = n
		f.topics[name] = &folded{entries: make(map[uint64]standing)}
	}
	return f
}

// idleWait is how long Run waits when there was nothing to read; failWait when
// it could not.
const (
	idleWait = 50 * time.Millisecond
	failWait = time.Second
)

// Run folds until ctx ends. What cannot be read is tried again.
func (f *Fold) Run(ctx context.Context) {
	ends := f.ends(ctx)
	var said time.Time // that something cannot be read
	for ctx.Err() == nil {
		moved, behind := false, false
		for _, name := range f.names {
			n, err := f.step(ctx, name)
			if err != nil && ctx.Err() == nil {
				if now := time.Now(); now.Sub(said) > time.Minute {
					said = now
					f.logger.Warn("dead letters cannot be read", "topic", name, "err", err)
				}
				f.sleep(ctx, failWait)
			}
			moved = moved || n
			behind = behind || f.at(name) < ends[name]
		}
		if !behind {
			f.markReady()
		}
		if moved {
			f.tell()
		} else {
			f.sleep(ctx, idleWait)
		}
	}
}

// ends returns up to where everything must be read before Ready. A topic that
// is not there has nothing to read.
func (f *Fold) ends(ctx context.Context) map[string]int64 {
	ends := make(map[string]int64)
	for _, name := range f.names {
		for ctx.Err() == nil {
			spans, err := f.log.Spans(ctx, name)
			if errors.Is(err, kerr.UnknownTopicOrPartition) {
				break
			}
			if err == nil {
				f.mu.Lock()
				f.topics[name].next = spans[0].Start
				f.mu.Unlock()
				ends[name] = spans[0].End
				break
			}
			f.sleep(ctx, failWait)
		}
	}
	return ends
}

// step reads some of a topic and reports whether there was anything.
func (f *Fold) step(ctx context.Context, name string) (bool, error) {
	id, err := f.log.TopicID(ctx, name)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		f.reset(name, "")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t := f.topics[name]
	if t.id != "" && t.id != id {
		f.reset(name, id)
	}
	t.id = id
	at := f.at(name)
	list, next, err := f.log.read(ctx, name, 0, at, readBytes)
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		f.log.forget(name)
		spans, err := f.log.Spans(ctx, name)
		if err == nil && spans[0].Start > at { // retention, or DeleteRecords, took what is below
			f.mu.Lock()
			t.next = spans[0].Start
			f.mu.Unlock()
		} else if err == nil {
			f.reset(name, id)
		}
		return false, err
	case err != nil:
		return false, err
	}
	f.mu.Lock()
	for i := range list {
		f.observe(t, &list[i])
	}
	t.next = max(t.next, next)
	f.mu.Unlock()
	return next > at, nil
}

// Take folds records that somebody else has read, in the order of the log, up
// to next. Run does the same with what it reads.
func (f *Fold) Take(topic string, records []*kgo.Record, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topics[topic]
	for _, r := range records {
		w := rawOf(r)
		f.observe(t, &w)
	}
	t.next = max(t.next, next)
}

// observe takes note of one record. f.mu is held.
func (f *Fold) observe(t *folded, r *raw) {
	h := keyHash(f.seed, r.topic, r.key)
	if r.value == nil {
		if old, ok := t.entries[h]; ok && old.minutes() == t.oldest {
			t.oldest = 0
		}
		delete(t.entries, h)
		return
	}
	since, quarantined := time.Time{}, false
	v := varints{b: r.headers}
	for range v.varint() {
		name, value := v.bytes(), v.bytes()
		switch string(name) {
		case hFirstFailed:
			if at, err := time.Parse(time.RFC3339Nano, string(value)); err == nil {
				since = at
			}
		case hState:
			quarantined = State(value) == Quarantined
		}
		if v.bad {
			break
		}
	}
	s := newStanding(r.offset, instant.First(time.Now(), since, time.UnixMilli(r.at)), quarantined)
	t.entries[h] = s
	if t.oldest != 0 {
		t.oldest = min(t.oldest, s.minutes())
	}
}

func (f *Fold) reset(name, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.topics[name]; t.next > 0 || len(t.entries) > 0 {
		*t = folded{id: id, generation: t.generation + 1, entries: make(map[uint64]standing)}
		f.logger.Warn("dead-letter topic was made anew, reading it from its beginning", "topic", name)
	}
}

func (f *Fold) at(name string) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topics[name].next
}

func (f *Fold) markReady() {
	select {
	case <-f.ready:
	default:
		close(f.ready)
		f.tell()
	}
}

func (f *Fold) tell() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

func (f *Fold) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Ready is closed once everything is folded that stood in the topics when Run
// began.
func (f *Fold) Ready() <-chan struct{} { return f.ready }

// Changed has something in it after more was folded.
func (f *Fold) Changed() <-chan struct{} { return f.changed }

// Standing is what became of one version of an entry.
type Standing uint8

// What the fold knows of a version.
const (
	Unknown   Standing = iota // the fold has not come that far
	Current                   // it is the entry's last version
	Rewritten                 // there is a later one: it failed again
	Isolated                  // there is a later one, which is quarantined
	Gone                      // the entry is closed, or never had that version
)

// Key is how the fold knows an entry; it means nothing to another fold.
func (f *Fold) Key(topic, id string) uint64 { return keyHash(f.seed, topic, []byte(id)) }

// Generation changes when a dead-letter topic was deleted and made again:
// versions from before mean nothing then.
func (f *Fold) Generation(topic string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.topics[topic].generation
}

// Standing returns what became of a version of an entry.
func (f *Fold) Standing(topic string, key uint64, version int64) Standing {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.topics[topic]
	if version >= t.next {
		return Unknown
	}
	s, ok := t.entries[key]
	switch {
	case !ok || s.offset() < version:
		return Gone
	case s.offset() == version:
		return Current
	case s.quarantined():
		return Isolated
	}
	return Rewritten
}
