package dlq

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

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
