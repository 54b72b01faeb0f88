package replay

import (
	"context"
	"fmt"
	"strings"

	"github.com/algotrade/notifier/internal/alert"
	"github.com/algotrade/notifier/internal/dlq"
)

// Find returns the entry whose id is prefix or begins with it, including closed ones, in
// the state that Each gives it. If no entry or several match, the error is a
// *NotFoundError.
func Find(ctx context.Context, r *dlq.Reader, prefix string) (*dlq.Entry, error) {
	spans, err := r.Ends(ctx, nil)
	if err != nil {
		return nil, err
	}
	var found []*dlq.Entry // two at most
	n := 0
	err = Each(ctx, r, spans, dlq.Query{Closed: true, Brief: true}, func(e *dlq.Entry) bool {
		if e.ID == prefix {
			found, n = []*dlq.Entry{e}, 1
			return false
		}
		if strings.HasPrefix(e.ID, prefix) {
			if n++; n <= 2 {
				found = append(found, e)
			}
		}
		return true
	})
	switch {
	case err != nil:
		return nil, err
	case n != 1:
		return nil, &NotFoundError{Prefix: prefix, Several: found, Count: n}
	}
	return found[0].Decoded(), nil
}

// NotFoundError: no entry, or several, have an id with this prefix.
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
		e.Prefix, e.Count, alert.Shorten(e.Several[0].ID, maxShown), alert.Shorten(e.Several[1].ID, maxShown))
}

// maxShown is how much of an id an error shows: that of a malformed record may be very
// long.
const maxShown = 64
