package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/term"
)

func newConfig(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration", Args: base.Subcommand, RunE: base.Help}
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Report all faults of the configuration and its rules", Args: base.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				l, err := g.Load(g.Source())
				if err != nil {
					return err
				}
				for _, f := range l.Kafka.TLS.CertificateProblems(time.Now()) {
					fmt.Fprintln(g.IO.Err, term.Visible(f.Text))
					if f.Exit != 0 {
						return base.Fail(base.ExitConfig, "the configuration has an invalid certificate")
					}
				}
				if why := l.Kafka.InTheClear(); why != "" {
					fmt.Fprintln(g.IO.Err, term.Visible("warning: "+why))
				}
				fmt.Fprintf(g.IO.Err, "%s is valid: %s, %s\n", l.File, term.Count(len(l.Rules.Rules()), "rule"), term.Count(len(l.Channels.Names()), "channel"))
				return nil
			},
		},
		&cobra.Command{
			Use: "show", Short: "Show the effective values and their origins", Args: base.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				l, err := g.Load(g.Source())
				if err != nil {
					return err
				}
				if g.JSON() {
					return base.EncodeAll(g.IO.Out, l.Values())
				}
				t := term.Table{Head: []string{"KEY", "VALUE", "ORIGIN"}, Elastic: []int{1}}
				for _, v := range l.Values() {
					t.Add(v.Key, v.Value, v.Origin)
				}
				t.Write(g.IO.Out, g.Width())
				return nil
			},
		},
	)
	return cmd
}
