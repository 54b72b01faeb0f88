package dlq

import (
	"context"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/topics"
)

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
