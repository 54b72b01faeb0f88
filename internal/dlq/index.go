package dlq

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/algotrade/notifier/internal/topics"
)

// Index has the last record of every open entry: it reads the dead-letter topics, then
// follows them. An entry takes about 50 bytes. It is safe for concurrent use.
type Index struct {
	reader *Reader
	tail   *kgo.Client
	logger *slog.Logger
	seed   maphash.Seed
	names  []string // of the dead-letter topics

	changed chan struct{} // size 1
	ready   chan struct{}
	once    sync.Once // closes ready
	warned  time.Time // used by Run only

	mu     sync.Mutex
	topics map[string]*indexed
}

// indexed is one dead-letter topic.
type indexed struct {
	source     topics.Name
	id         kadm.TopicID // of the topic that was read
	loaded     bool
	generation int   // counts recreations
	read       int64 // records below are read
	entries    map[Key]version
}

// version is an entry's last record.
type version struct {
	offset      int64
	failed      int64 // when the entry first failed, in Unix seconds
	quarantined bool
}

// Key is the hash of an entry's topic and id, within one Index. Records may have keys of
// any length.
type Key uint64

// Last is the last version of an entry.
type Last struct {
	Open        bool
	Offset      int64 // of its last record, where it is open
	Quarantined bool
	Read        int64 // the offset below which its topic is read
}

// NewIndex returns an index of a group's dead letters, which Run fills. The client tail
// is made with TailOptions.
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

// Take adds entries in the order of their topics, which are read below these offsets.
func (x *Index) Take(entries []*Entry, read map[string]int64) {
	x.mu.Lock()
	for _, e := range entries {
		open, key := x.topics[e.Topic].entries, x.key(e.Topic, e.Key)
		switch {
		case e.Closed == nil:
			open[key] = versionOf(e)
		case open[key].offset < e.Supersedes():
			delete(open, key)
		}
	}
	for topic, offset := range read {
		x.topics[topic].read = max(x.topics[topic].read, offset)
	}
	x.mu.Unlock()
	if len(entries) > 0 {
		x.tell()
	}
}

func versionOf(e *Entry) version {
	first := e.FirstFailed
	if first.IsZero() { // malformed: only the time of the record is known
		first = e.LastFailed
	}
	return version{offset: e.Offset, failed: first.Unix(), quarantined: e.State == Quarantined}
}

func (x *Index) tell() {
	select {
	case x.changed <- struct{}{}:
	default:
	}
}

// Ready is closed once everything is read that was in the topics when Run began.
func (x *Index) Ready() <-chan struct{} { return x.ready }

// Changed is signalled after more was read.
func (x *Index) Changed() <-chan struct{} { return x.changed }

// Key returns the key of an entry in this Index.
func (x *Index) Key(topic, id string) Key { return x.key(topic, []byte(id)) }

func (x *Index) key(topic string, id []byte) Key { return Key(keyHash(x.seed, topic, id)) }

// Generation returns how often a dead-letter topic was recreated: versions of an earlier
// generation are invalid.
func (x *Index) Generation(topic string) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.topics[topic].generation
}

// Reads reports whether a dead-letter topic is the one that is read: it was not
// recreated, which the index notices within idInterval. It asks a broker, since
// clients cache what topics there are.
func (x *Index) Reads(ctx context.Context, topic string) (bool, error) {
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, x.reader.client)
	if err != nil {
		return false, err
	}
	found := kadm.TopicDetail{ID: kadm.TopicID(resp.Topics[0].TopicID), Err: kerr.ErrorForCode(resp.Topics[0].ErrorCode)}
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.topics[topic].differs(found), nil
}

// Last returns the last version of an entry.
func (x *Index) Last(topic string, key Key) Last {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.topics[topic]
	v, ok := t.entries[key]
	return Last{Open: ok, Offset: v.offset, Quarantined: v.quarantined, Read: t.read}
}
