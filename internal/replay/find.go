package replay

import (
	"context"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/dlq"
)

// Find returns the entry whose id is or begins with prefix, closed ones
// included, in the state that Each gives it; no entry and several are a
// *NotFoundError.
func Find(ctx context.Context, r *dlq.Reader, prefix string) (*dlq.Entry, error) {
	spans, err := r.Ends(ctx, nil)
	if err != nil {
		return nil, err
	}
	var exact *dlq.Entry
	var found []*dlq.Entry
	n := 0
	err = Each(ctx, r, spans, dlq.Query{Closed: true, Brief: true}, func(e *dlq.Entry) bool {
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
		return whole(ctx, r, exact)
	case n == 0:
		return nil, &NotFoundError{Prefix: prefix}
	case n > 1:
		return nil, &NotFoundError{Prefix: prefix, Several: found, Count: n}
	}
	return whole(ctx, r, found[0])
}

// whole reads an entry again that was read in brief. Where compaction has
// removed its record meanwhile it stays as it is.
func whole(ctx context.Context, r *dlq.Reader, e *dlq.Entry) (*dlq.Entry, error) {
	records, _, err := r.Read(ctx, e.Topic, e.Partition, e.Offset, 1)
	if err != nil {
		return nil, fmt.Errorf("read dead letter: %w", err)
	}
	if len(records) == 0 || records[0].Offset != e.Offset || records[0].Value == nil {
		return e, nil
	}
	read := dlq.Parse(records[0])
	read.Closed = e.Closed
	if read.State != dlq.Malformed || e.Closed != nil {
		read.State = e.State
	}
	return read, nil
}

// NotFoundError says that a prefix of an id means no entry, or several.
type NotFoundError struct {
	Prefix  string
	Several []*dlq.Entry // some of them
	Count   int          // how many there are
}

func (e *NotFoundError) Error() string {
	if len(e.Several) == 0 {
		return fmt.Sprintf("no dead letter %s: see 'notifier dlq list'", dlq.Clean(e.Prefix))
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
