// Package alerts is the command alerts: it lists, shows and follows what became of
// alerts, from the delivery log, and has alerts sent again.
package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/deliverylog"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "alerts", Short: "Show what became of alerts, and send them again", Args: base.Subcommand, RunE: base.Help,
		Long: "Show what became of alerts in each channel: delivered, throttled, a dead letter. The commands read\n" +
			"the delivery log, which has the last 7 days; the daemon need not run.",
	}
	cmd.AddCommand(newList(g), newShow(g), newTail(g), newResend(g))
	return cmd
}

// log is the delivery log of a group.
type log struct {
	*deliverylog.Reader
	client  *kgo.Client
	group   string
	brokers []string
}

// openLog connects to the delivery log of the configured group. The caller closes the
// client.
func openLog(g *base.Globals, ctx context.Context, more ...kgo.Opt) (*log, error) {
	c, err := g.Kafka()
	if err != nil {
		return nil, err
	}
	cl, err := g.Reach(ctx, c, "alerts", more...)
	if err != nil {
		return nil, err
	}
	return &log{Reader: deliverylog.NewReader(cl, c.Group), client: cl, group: c.Group, brokers: c.Brokers}, nil
}

// explain names the remedy of an error of reading.
func (l *log) explain(err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s is missing: run 'notifier topics create'", l.Topic())
	}
	return err
}

// longID is the length of an abbreviated id that is unique among millions.
const longID = 12

func brief(id string) string { return id[:min(len(id), longID)] }

// prefixed returns a text behind a prefix; empty: neither.
func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func contains(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
