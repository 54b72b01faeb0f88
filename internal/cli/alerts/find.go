package alerts

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
	"github.com/algotrade/notifier/internal/term"
)

// find returns all deliveries of the alert with an id, of its own or of a delivery.
func (l *log) find(ctx context.Context, id string) ([]*deliverylog.Record, error) {
	list, err := l.Find(ctx, id)
	return list, l.explain(err)
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
