package dlq

import (
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// Index knows the last record of every open entry: it reads what the
// dead-letter topics hold, then follows them. An entry takes about 50 bytes. It
// is safe for concurrent use.
type Index struct {
	reader *Reader
	tail   *kgo.Client
	logger *slog.Logger
	seed   maphash.Seed
	names  []string // of the dead-letter topics

	changed chan struct{} // size 1
	ready   chan struct{}
	warned  time.Time // Run's alone

	mu     sync.Mutex
	topics map[string]*indexed
}

// indexed is one dead-letter topic.
type indexed struct {
	source     topics.Name
	id         kadm.TopicID // of the topic that was read
	loaded     bool
	generation int   // counts recreations
	read       int64 // every record below is taken into account
	entries    map[Key]version
}

// version is an entry's last record.
type version struct {
	offset      int64
	failed      int64 // when the entry first failed, in Unix seconds
	quarantined bool
}

// Key names an entry within one Index: a hash, since anybody may write keys of
// any length.
type Key uint64

// Last is what an Index knows about an entry.
type Last struct {
	Open        bool
	Offset      int64 // of its last record, where it is open
	Quarantined bool
	Read        int64 // the topic is read up to here
}

// NewIndex returns an index of a group's dead letters, for Run to fill. The
// client tail is made with TailOptions.
func NewIndex(group string, reader *Reader, tail *kgo.Client, logger *slog.Logger) *Index {
	x := &Index{
		reader: reader, tail: tail, logger: logger, seed: maphash.MakeSeed(),
		changed: make(chan struct{}, 1), ready: make(chan struct{}), topics: make(map[string]*indexed),
	}
	for _, source := range topics.All() {
		name := topics.DeadLetter(group, source)
		x.names = append(x.names, name)
		x.topics[name] = &indexed{source: source, entries: make(map[Key]version)}
	}
	return x
}

// apply takes changes into account that a tail has read.
func (x *Index) apply(changes []Change, tail *Tail) {
	x.mu.Lock()
	for _, c := range changes {
		x.take(c)
	}
	for name, t := range x.topics {
		t.read = max(t.read, tail.Position(name))
	}
	x.mu.Unlock()
	if len(changes) > 0 {
		x.tell()
	}
}

// take takes a change into account; x.mu is held.
func (x *Index) take(c Change) {
	t, key := x.topics[c.Topic], x.key(c.Topic, c.Key)
	if c.Entry == nil {
		delete(t.entries, key)
		return
	}
	t.entries[key] = versionOf(c.Entry)
}

func versionOf(e *Entry) version {
	first := e.FirstFailed
	if first.IsZero() { // malformed: when it was written is all that is known
		first = e.LastFailed
	}
	return version{offset: e.Offset, failed: first.Unix(), quarantined: e.State == Quarantined}
}

// Take takes records into account that another user has read, in the order of
// the log, up to read. Run does the same with what it reads.
func (x *Index) Take(topic string, records []*kgo.Record, read int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range records {
		x.take(change(r))
	}
	x.topics[topic].read = max(x.topics[topic].read, read)
}

func (x *Index) markReady() {
	select {
	case <-x.ready:
	default:
		close(x.ready)
		x.tell()
	}
}

func (x *Index) tell() {
	select {
	case x.changed <- struct{}{}:
	default:
	}
}

// Ready is closed once everything is read that the topics held when Run began.
func (x *Index) Ready() <-chan struct{} { return x.ready }

// Changed has something in it after more was read.
func (x *Index) Changed() <-chan struct{} { return x.changed }

// Key returns the key of an entry; it means nothing to another Index.
func (x *Index) Key(topic, id string) Key { return x.key(topic, []byte(id)) }

func (x *Index) key(topic string, id []byte) Key { return Key(keyHash(x.seed, topic, id)) }

// Generation returns how often a dead-letter topic was recreated: versions of
// an earlier generation mean nothing.
func (x *Index) Generation(topic string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.topics[topic].generation
}

// Last returns what is known about an entry.
func (x *Index) Last(topic string, key Key) Last {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.topics[topic]
	v, ok := t.entries[key]
	return Last{Open: ok, Offset: v.offset, Quarantined: v.quarantined, Read: t.read}
}

// each calls yield with how many entries of each source topic are open and when
// the oldest of them first failed.
func (x *Index) each(yield func(source topics.Name, open int, oldest time.Time)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, t := range x.topics {
		oldest := int64(0)
		for _, v := range t.entries {
			if oldest == 0 || v.failed < oldest {
				oldest = v.failed
			}
		}
		yield(t.source, len(t.entries), time.Unix(oldest, 0))
	}
}
