package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newConfig(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration", Args: subcommand, RunE: help}
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Report everything that is wrong, the rules included", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				l, err := g.load(g.source())
				if err != nil {
					return err
				}
				for _, f := range l.Kafka.TLS.Findings(time.Now()) {
					fmt.Fprintln(g.io.err, visible(f.Text))
					if f.Exit != 0 {
						return fail(exitConfig, "the configuration names a certificate that is not valid")
					}
				}
				if why := l.Kafka.InTheClear(); why != "" {
					fmt.Fprintln(g.io.err, visible("warning: "+why))
				}
				fmt.Fprintf(g.io.err, "%s is fine: %s, %s\n", l.File, count(len(l.Rules.Rules()), "rule"), count(len(l.Channels.Names()), "channel"))
				return nil
			},
		},
		&cobra.Command{
			Use: "show", Short: "Show the effective values and where each comes from", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				l, err := g.load(g.source())
				if err != nil {
					return err
				}
				values := l.Values()
				if g.json() {
					enc := newEncoder(g.io.out)
					enc.SetEscapeHTML(false)
					for _, v := range values {
						if err := enc.Encode(v); err != nil {
							return err
						}
					}
					return nil
				}
				t := table{head: []string{"KEY", "VALUE", "ORIGIN"}, elastic: []int{1}}
				for _, v := range values {
					t.add(v.Key, v.Value, v.Origin)
				}
				t.write(g.io.out, g.width())
				return nil
			},
		},
	)
	return cmd
}
