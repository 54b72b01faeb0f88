package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const about = `notifier turns events on Kafka into alerts: it consumes trade-executions,
portfolio-updates and forward-test-events, matches each event against rules, and
sends alerts to people and machines. What cannot be handled is kept as a dead
letter and can be looked at.

Start here, nothing to set up:

  %s dev      everything in one process: a broker, sample events, alerts on this terminal
`

func init() { cobra.EnableCommandSorting = false } // dev first

func newRoot(g *globals) *cobra.Command {
	io := g.io
	root := &cobra.Command{
		Use: "notifier", Short: "Kafka events in, alerts out", Long: fmt.Sprintf(about, self()),
		SilenceErrors: true, SilenceUsage: true, Version: built().String(),
		Args: subcommand, RunE: help,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			formats := []string{"text", "json"}
			if more := cmd.Annotations[moreFormats]; more != "" {
				formats = append(formats, strings.Fields(more)...)
			}
			if !slices.Contains(formats, g.output) {
				return misused("-o %s: choose one of %s", g.output, strings.Join(formats, ", "))
			}
			return nil
		},
	}
	root.SetVersionTemplate("{{ .Version }}\n")
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misused("%w", err) })
	f := root.PersistentFlags()
	f.StringVarP(&g.config, "config", "c", "", "configuration `FILE` (default $NOTIFIER_CONFIG, /etc/notifier/notifier.yaml, ./configs/notifier.yaml)")
	f.StringSliceVar(&g.brokers, "brokers", nil, "Kafka brokers, `HOST:PORT,…`")
	f.StringVar(&g.group, "group", "", "consumer group")
	f.StringVarP(&g.output, "output", "o", "text", "text for people, json for programs")
	f.StringVar(&g.logLevel, "log-level", "", "debug, info, warn or error")
	root.AddCommand(newDev(g), newRun(g), newTopics(g), newProduce(g), newRules(g), newConfig(g), newChannels(g), newDLQ(g), newLag(g), newHealth(g), newDoctor(g), newVersion(g), newCompletion(g))
	return root
}
