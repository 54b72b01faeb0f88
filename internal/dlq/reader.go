package dlq

import (
	"context"
	"errors"
	"fmt"

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

// Group returns the group whose dead letters are read.
func (r *Reader) Group() string { return r.group }

// Admin returns a client of the cluster.
func (r *Reader) Admin() *kadm.Client { return r.admin }

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

// List returns the entries that are not closed, the newest first.
func (r *Reader) List(ctx context.Context, sources ...topics.Name) ([]*Entry, error) {
	var entries []*Entry
	err := r.Each(ctx, Query{Sources: sources}, func(e *Entry) bool {
		entries = append(entries, e)
		return true
	})
	return entries, err
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
			return nil, fmt.Errorf("not allowed to read topic %s (%w): grant READ on it, or on the prefix of our topics", name, kerr.TopicAuthorizationFailed)
		case err != nil:
			return nil, fmt.Errorf("read topic %s: %w", name, err)
		}
		spans = append(spans, of...)
	}
	return spans, nil
}
