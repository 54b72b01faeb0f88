package deliverylog

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/alert"
)

// found are the deliveries of the alerts that an id or its beginning means, by alert.
type found struct {
	id     string
	alerts map[string][]*Record
	order  []string
}

// mostFound is how many alerts are kept of those that an ambiguous id begins.
const mostFound = 5

func (f *found) add(r *Record) {
	if !strings.HasPrefix(r.Alert, f.id) && !strings.HasPrefix(r.Delivery, f.id) {
		return
	}
	if f.alerts[r.Alert] == nil {
		if len(f.order) == mostFound {
			return
		}
		f.order = append(f.order, r.Alert)
	}
	f.alerts[r.Alert] = append(f.alerts[r.Alert], r)
}

// Find returns all deliveries of the alert with an id, of its own or of a delivery, which
// may be abbreviated to a unique prefix.
func (r *Reader) Find(ctx context.Context, id string) ([]*Record, error) {
	spans, err := r.Spans(ctx, time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	f := found{id: id, alerts: make(map[string][]*Record)}
	prefix := []byte(`"` + id)
	err = r.Each(ctx, spans, func(r *kgo.Record) bool { return bytes.Contains(r.Value, prefix) }, func(r *Record) bool { f.add(r); return true })
	if err != nil {
		return nil, err
	}
	exact := slices.IndexFunc(f.order, func(a string) bool {
		return a == id || slices.ContainsFunc(f.alerts[a], func(r *Record) bool { return r.Delivery == id })
	})
	switch {
	case exact >= 0:
		f.order = f.order[exact : exact+1]
	case len(f.order) == 0:
		return nil, fmt.Errorf("no alert or delivery %s in the delivery log: it is still pending (see 'notifier channels list'), or older than the log", alert.Visible(id))
	case len(f.order) > 1:
		return nil, fmt.Errorf("%s is the beginning of several ids: %s", alert.Visible(id), strings.Join(f.order, ", "))
	}
	one := f.order[0]
	if strings.HasPrefix(one, id) {
		return f.alerts[one], nil
	}
	// The id is of one delivery: read those of the alert's other channels.
	all, err := r.Of(ctx, time.Time{}, one)
	return all[one], err
}

// Of returns the deliveries of alerts by their ids, of those that have ended since a time.
// With an error it returns what was read before.
func (r *Reader) Of(ctx context.Context, since time.Time, ids ...string) (map[string][]*Record, error) {
	wanted := make(map[string]bool)
	for _, id := range ids {
		wanted[id] = true
	}
	of := make(map[string][]*Record)
	spans, err := r.Spans(ctx, since, time.Time{})
	if err != nil {
		return of, err
	}
	err = r.Each(ctx, spans, func(r *kgo.Record) bool { return wanted[string(r.Key)] }, func(r *Record) bool {
		of[r.Alert] = append(of[r.Alert], r)
		return true
	})
	return of, err
}
