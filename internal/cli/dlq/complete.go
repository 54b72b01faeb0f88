package dlq

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/dlq"
	"github.com/algotrade/notifier/internal/outcome"
	"github.com/algotrade/notifier/internal/replay"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/topics"
)

const (
	completeWithin = 3 * time.Second // bounds a completion that asks the brokers
	completeIDs    = 50              // ids that are offered, the newest
)

// complete registers the completion of the flags.
func (s *selection) complete(g *base.Globals, cmd *cobra.Command) {
	for flag, list := range map[string][]string{
		"topic": words(topics.All()), "reason": words(outcome.Reasons()), "scope": words(scopes), "cause": words(outcome.Causes()), "state": stateWords(),
	} {
		base.Complete(cmd, flag, base.Words(list...))
	}
	base.Complete(cmd, "channel", g.ChannelNames)
	base.Complete(cmd, "rule", g.RuleNames)
	for _, flag := range []string{"fingerprint", "key", "since", "until", "limit"} {
		base.Complete(cmd, flag, base.NoWords)
	}
}

// completeID completes with the ids of dead letters that are not closed.
func completeID(g *base.Globals) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		st, err := openStore(g, ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		defer st.client.Close()
		spans, err := st.Ends(ctx, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var found []string
		err = replay.Each(ctx, st.Reader, spans, dlq.Query{Brief: true}, func(e *dlq.Entry) bool {
			if strings.HasPrefix(e.ID, prefix) {
				what := strings.TrimSpace(string(e.Cause) + " " + e.Rule())
				found = append(found, cobra.CompletionWithDesc(term.Visible(e.ID), term.Visible(what)))
			}
			return len(found) < completeIDs
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}
