package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/config"
	"github.com/algotrade/notifier/internal/plural"
	"github.com/algotrade/notifier/internal/term"
	"github.com/algotrade/notifier/internal/yamldoc"
)

func newConfig(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration", Args: base.Subcommand, RunE: base.Help}
	cmd.AddCommand(
		&cobra.Command{
			Use: "check", Short: "Report all faults of the configuration and its rules", Args: base.NoArgs,
			RunE: func(*cobra.Command, []string) error { return checkConfig(g) },
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
				t := term.Table{Head: []string{"KEY", "VALUE", "ORIGIN"}, Elastic: []int{1, 2}, Middle: []int{2}}
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

// checkConfig reports the faults of the configuration, its rules and its certificates.
func checkConfig(g *base.Globals) error {
	l, faults, err := config.Load(g.Source())
	if err != nil {
		return base.Fail(base.ExitConfig, "%w", err)
	}
	g.Redactor = base.NewRedactor(l)
	c := base.Checked{File: l.File, What: "the configuration", Faults: faults}
	if len(faults.Errors()) == 0 {
		at := yamldoc.Pos{File: l.File}
		for _, f := range l.Kafka.TLS.CertificateProblems(time.Now()) {
			c.Faults = append(c.Faults, yamldoc.NewFault(at, f.Exit == 0, f.Text))
		}
		if why := l.Kafka.InTheClear(); why != "" {
			c.Faults = append(c.Faults, yamldoc.NewFault(at, true, why))
		}
		c.Counts = plural.Count(len(l.Rules.Rules()), "rule") + ", " + plural.Count(len(l.Channels.Names()), "channel")
		if n := len(l.Schemas.ByTopic); n > 0 {
			c.Counts += ", " + plural.Count(n, "schema")
		}
	}
	return g.WriteChecked(c)
}
