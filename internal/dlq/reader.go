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

// Reader reads dead letters, without joining a group.
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

// Query is which entries are read.
type Query struct {
	Sources []topics.Name // of these source topics; nil: of all
	Closed  bool          // resolved and discarded ones too, while the topic still has them
	// Brief does not decode the alerts, which is three times as fast: Envelope.Alert
	// is nil, Rule is known.
	Brief bool
}

// Each calls f for every entry, the last written first, until f returns false. Each
// entry comes once, in its last state below the end offsets when Each begins, whether
// the topics are compacted or not: they are read backwards in blocks, so the first
// version of a key that is read is its last. A dead-letter topic that does not exist
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

// Ends returns the spans of the dead-letter topics of the sources; nil: of all.
func (r *Reader) Ends(ctx context.Context, sources []topics.Name) ([]Span, error) {
	if len(sources) == 0 {
		sources = topics.All()
	}
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = topics.DeadLetter(r.group, s)
	}
	var spans []Span
	for _, name := range names { // one at a time: a forbidden one would fail all others
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
