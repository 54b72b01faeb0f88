package dlq

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/topics"
)

// Reader reads dead letters. It joins no group and commits nothing.
type Reader struct {
	*Log
	group string
}

// NewReader returns a reader of the dead letters of group over any client of
// the cluster.
func NewReader(client *kgo.Client, group string) *Reader {
	return &Reader{Log: NewLog(client), group: group}
}

// Query says which entries are read.
type Query struct {
	Sources []topics.Name // of these source topics; nil: of all
	Closed  bool          // the resolved and discarded ones too, as far as the topic still has them
	// Brief leaves the alerts out, which is three times as fast: Envelope.Alert
	// is nil, Rule is known.
	Brief bool
	// Raw keeps the record an entry was read from: Entry.Record is set. It
	// overrides Brief.
	Raw bool
}

// Each calls f for every entry, the one that was written last first, until f
// returns false. An entry comes once, with its last state as of the end
// offsets asked when Each begins, and so the same before, during and after
// compaction: the topics are read backwards in blocks, and the first version
// that is met of a key is its last. The first entries come long before the
// beginning of the topics is reached. A dead-letter topic that does not exist
// is an error.
func (r *Reader) Each(ctx context.Context, q Query, f func(*Entry) bool) error {
	spans, err := r.Ends(ctx, q.Sources)
	if err != nil {
		return err
	}
	return r.EachOf(ctx, spans, q, f)
}

// EachOf is Each over spans that Ends has returned.
func (r *Reader) EachOf(ctx context.Context, spans []Span, q Query, f func(*Entry) bool) error {
	waiting, err := r.Waiting(ctx)
	if err != nil {
		return err
	}
	return r.each(ctx, spans, q, func(e *Entry) bool {
		if version, ok := waiting[e.ID]; ok && version == e.Offset && (e.State == Open || e.State == Quarantined) {
			e.State = Waiting
		}
		return f(e)
	})
}

// Change is something that was written to a dead-letter topic: an entry, new or
// with another state, or its closing.
type Change struct {
	ID     string
	Topic  string
	Offset int64
	Entry  *Entry   // nil: it was closed
	Closed *Closing // nil: it was not
}

// Watch calls f for every change from the ends of the spans on, in the order
// of each topic, until f returns false or ctx ends; that is no error. idle, if
// not nil, is called whenever there is nothing more for now.
func (r *Reader) Watch(ctx context.Context, spans []Span, f func(Change) bool, idle func() bool) error {
	at := make([]int64, len(spans))
	for i, s := range spans {
		at[i] = s.End
	}
	for {
		moved := false
		for i, s := range spans {
			records, next, err := r.Read(ctx, s.Topic, s.Partition, at[i], readBytes)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return fmt.Errorf("watch %s: %w", s.Topic, err)
			}
			moved = moved || next > at[i]
			at[i] = next
			for _, rec := range records {
				if !f(change(rec)) {
					return nil
				}
			}
		}
		if moved {
			continue
		}
		if idle != nil && !idle() {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(idleWait):
		}
	}
}

func change(rec *kgo.Record) Change {
	c := Change{Topic: rec.Topic, Offset: rec.Offset}
	c.ID, _ = idOf(rec.Key)
	if rec.Value == nil {
		c.Closed = parseClosing(rec)
	} else {
		c.Entry = Parse(rec)
	}
	return c
}

// Ends returns the dead-letter topics of the sources, nil: of all, as far as
// they are written now.
func (r *Reader) Ends(ctx context.Context, sources []topics.Name) ([]Span, error) {
	if len(sources) == 0 {
		sources = topics.All()
	}
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = topics.DeadLetter(r.group, s)
	}
	var spans []Span
	for _, name := range names { // one at a time: a forbidden one leaves the others without an answer
		of, err := r.Spans(ctx, name)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("topic %s is missing: run 'notifier topics create'", name)
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			return nil, fmt.Errorf("not allowed to read topic %s: grant READ and DESCRIBE on it, or on the prefix of our topics", name)
		case err != nil:
			return nil, fmt.Errorf("read topic %s: %w", name, err)
		}
		spans = append(spans, of...)
	}
	return spans, nil
}

// each merges the spans, the newest record first.
func (r *Reader) each(ctx context.Context, spans []Span, q Query, f func(*Entry) bool) error {
	cursors := make([]*cursor, 0, len(spans))
	for _, s := range spans {
		c := &cursor{blocks: r.backwards(ctx, s)}
		defer c.blocks.close()
		cursors = append(cursors, c)
	}
	seen := make(map[uint64]struct{})
	tombs := make(map[uint64]*Entry) // closed entries whose last version is yet to come
	var scratch []kgo.RecordHeader
	q.Brief = q.Brief && !q.Raw
	parse := func(w *raw) *Entry {
		if !q.Brief {
			scratch = nil
		}
		rec, err := w.record(scratch)
		if err != nil {
			e := &Entry{Topic: w.topic, Partition: w.partition, Offset: w.offset, Key: w.key, Size: len(w.value)}
			e.ID, _ = idOf(w.key)
			return e.malformed(&kgo.Record{Key: w.key, Value: w.value, Timestamp: time.UnixMilli(w.at)}, err)
		}
		if !q.Brief {
			e := Parse(rec)
			if q.Raw {
				e.Record = rec
			}
			return e
		}
		scratch = rec.Headers
		e := open(rec)
		e.Envelope.Source.Headers = nil // they are the next one's
		return e
	}
	seed := maphash.MakeSeed()
	for {
		rec, err := newest(ctx, cursors)
		if err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		if rec == nil {
			break
		}
		h := keyHash(seed, rec.topic, rec.key)
		if _, met := seen[h]; met {
			if tomb := tombs[h]; tomb != nil && rec.value != nil {
				delete(tombs, h)
				e := parse(rec)
				e.State, e.Closed = tomb.State, tomb.Closed
				if !f(e) {
					return nil
				}
			}
			continue
		}
		seen[h] = struct{}{}
		if rec.value == nil {
			if q.Closed {
				tombs[h] = closedEntry(rec)
			}
			continue
		}
		if !f(parse(rec)) {
			return nil
		}
	}
	return rest(tombs, f)
}

// rest gives those closed entries of which the tombstone is left alone.
func rest(tombs map[uint64]*Entry, f func(*Entry) bool) error {
	left := make([]*Entry, 0, len(tombs))
	for _, e := range tombs {
		if e.Closed.By != "" { // a delivery that was made after all, and never was an entry, has none
			left = append(left, e)
		}
	}
	slices.SortFunc(left, func(a, b *Entry) int { return b.Closed.At.Compare(a.Closed.At) })
	for _, e := range left {
		if !f(e) {
			return nil
		}
	}
	return nil
}

func keyHash(seed maphash.Seed, topic string, key []byte) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	_, _ = h.WriteString(topic)
	_ = h.WriteByte(0)
	_, _ = h.Write(key)
	return h.Sum64()
}

// cursor stands at the newest record of a partition that was not taken yet.
type cursor struct {
	blocks  *blocks
	records []raw
	done    bool
}

func (c *cursor) fill(ctx context.Context) error {
	for len(c.records) == 0 && !c.done {
		select {
		case b, ok := <-c.blocks.next:
			if b.err != nil {
				return b.err
			}
			c.records, c.done = b.records, !ok
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return ctx.Err()
}

// newest takes the record that was written last; nil: there is none left.
func newest(ctx context.Context, cursors []*cursor) (*raw, error) {
	var best *cursor
	for _, c := range cursors {
		if err := c.fill(ctx); err != nil {
			return nil, err
		}
		if n := len(c.records); n > 0 && (best == nil || c.records[n-1].at > best.records[len(best.records)-1].at) {
			best = c
		}
	}
	if best == nil {
		return nil, nil
	}
	n := len(best.records) - 1
	rec := &best.records[n]
	best.records = best.records[:n]
	return rec, nil
}

// List returns the entries that are not closed, the newest first.
func (r *Reader) List(ctx context.Context, sources ...topics.Name) ([]*Entry, error) {
	var entries []*Entry
	err := r.Each(ctx, Query{Sources: sources}, func(e *Entry) bool {
		entries = append(entries, e)
		return true
	})
	return entries, err
}

// Find returns the entry whose id is or begins with prefix, closed ones
// included; no entry and several are errors that say so.
func (r *Reader) Find(ctx context.Context, prefix string) (*Entry, error) {
	var exact *Entry
	var found []*Entry
	n := 0
	err := r.Each(ctx, Query{Closed: true, Brief: true}, func(e *Entry) bool {
		if e.ID == prefix {
			exact = e
		} else if strings.HasPrefix(e.ID, prefix) {
			if n++; n <= 2 {
				found = append(found, e)
			}
		}
		return exact == nil
	})
	switch {
	case err != nil:
		return nil, err
	case exact != nil:
		return r.whole(ctx, exact)
	case n == 0:
		return nil, &NotFoundError{Prefix: prefix}
	case n > 1:
		return nil, &NotFoundError{Prefix: prefix, Several: found, Count: n}
	}
	return r.whole(ctx, found[0])
}

// whole reads an entry again that was read in brief. Where compaction has taken
// its record meanwhile it stays as it is.
func (r *Reader) whole(ctx context.Context, e *Entry) (*Entry, error) {
	records, _, err := r.Read(ctx, e.Topic, e.Partition, e.Offset, 1)
	if err != nil {
		return nil, fmt.Errorf("read dead letter: %w", err)
	}
	if len(records) == 0 || records[0].Offset != e.Offset || records[0].Value == nil {
		return e, nil
	}
	whole := Parse(records[0])
	whole.Closed = e.Closed
	if whole.State != Malformed || e.Closed != nil {
		whole.State = e.State
	}
	return whole, nil
}

// NotFoundError says that a prefix of an id means no entry, or several.
type NotFoundError struct {
	Prefix  string
	Several []*Entry // some of them
	Count   int      // how many there are
}

func (e *NotFoundError) Error() string {
	if len(e.Several) == 0 {
		return fmt.Sprintf("no dead letter %s: see 'notifier dlq list'", cleanDetail(e.Prefix))
	}
	return fmt.Sprintf("%s begins the ids of %d dead letters, %s and %s among them: give more of it",
		e.Prefix, e.Count, shorten(e.Several[0].ID), shorten(e.Several[1].ID))
}

// shorten keeps the id of a malformed record, which may be very long, in bounds.
func shorten(id string) string {
	if len(id) <= 64 {
		return id
	}
	return strings.ToValidUTF8(id[:64], "") + "…"
}

// Waiting returns, by entry, the version that the newest request asks for
// among those that the daemon has not settled: what is not committed of the
// replay topic. Without that topic nothing waits.
func (r *Reader) Waiting(ctx context.Context) (map[string]int64, error) {
	topic := topics.Replay(r.group)
	waiting := make(map[string]int64)
	spans, err := r.Spans(ctx, topic)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return waiting, nil
	case err != nil:
		return nil, fmt.Errorf("read the replay requests: %w", err)
	}
	committed, err := r.committed(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range spans {
		for at := max(s.Start, committed[s.Partition]); at < s.End; {
			records, next, err := r.Read(ctx, s.Topic, s.Partition, at, readBytes)
			if err != nil {
				return nil, fmt.Errorf("read the replay requests: %w", err)
			}
			for _, rec := range records {
				if q, err := ParseRequest(rec); err == nil && rec.Offset < s.End {
					waiting[q.Entry] = max(waiting[q.Entry], q.Version)
				}
			}
			if next <= at {
				break
			}
			at = next
		}
	}
	return waiting, nil
}

// committed returns below which offset the daemon has settled the requests.
func (r *Reader) committed(ctx context.Context) (map[int32]int64, error) {
	var offsets kadm.OffsetResponses
	for try := 0; ; try++ {
		var err error
		if offsets, err = r.admin.FetchOffsets(ctx, r.group); err == nil || errors.Is(err, kerr.GroupIDNotFound) {
			break
		}
		if try == 50 || !kerr.IsRetriable(err) { // a new cluster has no coordinator until it is asked for one
			return nil, fmt.Errorf("read how far requests are settled: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	at := make(map[int32]int64)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == topics.Replay(r.group) && o.Err == nil {
			at[o.Partition] = o.At
		}
	})
	return at, nil
}

func closedEntry(w *raw) *Entry {
	rec, err := w.record(nil)
	if err != nil { // the key is all there is of it
		rec = &kgo.Record{Topic: w.topic, Partition: w.partition, Offset: w.offset, Key: w.key}
	}
	c := parseClosing(rec)
	e := &Entry{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset, Key: rec.Key, State: c.State, Closed: c}
	e.ID, _ = idOf(rec.Key)
	e.Envelope = emptyEnvelope()
	return e
}
