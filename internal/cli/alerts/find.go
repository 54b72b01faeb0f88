package alerts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/term"
)

// found are the deliveries of the alerts that an id or its beginning means, by alert.
type found struct {
	id     string
	alerts map[string][]*deliverylog.Record
	order  []string
}

// mostFound is how many alerts are kept of those that an ambiguous id begins.
const mostFound = 5

func (f *found) add(r *deliverylog.Record) {
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

// find returns all deliveries of the alert with an id, of its own or of a delivery,
// which may be abbreviated to a unique prefix.
func (l *log) find(ctx context.Context, id string) ([]*deliverylog.Record, error) {
	spans, err := l.Spans(ctx, time.Time{}, time.Time{})
	if err != nil {
		return nil, l.explain(err)
	}
	f := found{id: id, alerts: make(map[string][]*deliverylog.Record)}
	all := func(r *deliverylog.Record) bool { f.add(r); return true }
	if err := l.Each(ctx, spans, mayHave([]string{`"` + id}), all); err != nil {
		return nil, l.explain(err)
	}
	exact := slices.IndexFunc(f.order, func(a string) bool {
		return a == id || slices.ContainsFunc(f.alerts[a], func(r *deliverylog.Record) bool { return r.Delivery == id })
	})
	switch {
	case exact >= 0:
		f.order = f.order[exact : exact+1]
	case len(f.order) == 0:
		return nil, fmt.Errorf("no alert or delivery %s in the delivery log: it is still pending (see 'notifier channels list'), or older than the log", term.Visible(id))
	case len(f.order) > 1:
		return nil, fmt.Errorf("%s is the beginning of several ids: %s", term.Visible(id), strings.Join(f.order, ", "))
	}
	alert := f.order[0]
	if strings.HasPrefix(alert, id) {
		return f.alerts[alert], nil
	}
	// The id is of one delivery: read those of the alert's other channels.
	f = found{id: alert, alerts: make(map[string][]*deliverylog.Record)}
	err = l.Each(ctx, spans, func(r *kgo.Record) bool { return string(r.Key) == alert }, all)
	return f.alerts[alert], l.explain(err)
}

const (
	completeWithin = 3 * time.Second // bounds a completion, which asks the brokers
	completeIDs    = 50              // alerts that are offered, the newest
)

// completeID completes with the ids of the alerts of the last 24 hours.
func completeID(g *base.Globals) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		l, err := openLog(g, ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer l.client.Close()
		spans, err := l.Spans(ctx, time.Now().Add(-24*time.Hour), time.Time{})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string // the oldest first
		err = l.Each(ctx, spans, mayHave([]string{`"` + prefix}), func(r *deliverylog.Record) bool {
			line := cobra.CompletionWithDesc(r.Alert, term.Visible(r.Rule+" "+r.KeyText()))
			if strings.HasPrefix(r.Alert, prefix) && !slices.Contains(ids, line) {
				ids = append(ids, line)
				ids = ids[max(0, len(ids)-completeIDs):]
			}
			return true
		})
		if err != nil && len(ids) == 0 {
			return nil, cobra.ShellCompDirectiveError
		}
		slices.Reverse(ids)
		return ids, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
