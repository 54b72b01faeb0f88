package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/configs"
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
			Annotations: map[string]string{base.Formats: "sarif"},
			RunE:        func(*cobra.Command, []string) error { return checkConfig(g) },
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
		newConfigSchema(g),
	)
	return cmd
}

// schemaFiles are the files that have a schema, by the argument that names them.
var schemaFiles = map[string]string{"notifier": "notifier", "rules": "rules", "tests": "rules.test"}

func newConfigSchema(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "schema [notifier|rules|tests]", Short: "Print the JSON Schema of a file, for editors",
		Long: "Print the JSON Schema (2020-12) of notifier.yaml, of rules.yaml, or of a file with tests of rules.\n" +
			"Editors complete, describe and check the keys of a file with it.",
		Args: base.AtMostOne("one of notifier, rules and tests"), ValidArgsFunction: base.Words("notifier", "rules", "tests"),
		RunE: func(_ *cobra.Command, args []string) error {
			args = append(args, "notifier")
			name, known := schemaFiles[args[0]]
			if !known {
				return base.Misused("there is no schema of %q: choose one of notifier, rules and tests", args[0])
			}
			_, err := g.IO.Out.Write(configs.EditorSchema(name))
			return err
		},
	}
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
			c.Faults = append(c.Faults, yamldoc.NewFault(at, f.Exit == 0, f.Text).Of(yamldoc.Insecure))
		}
		if why := l.Kafka.InTheClear(); why != "" {
			c.Faults = append(c.Faults, yamldoc.NewFault(at, true, why).Of(yamldoc.Insecure))
		}
		c.Counts = plural.Count(len(l.Rules.Rules()), "rule") + ", " + plural.Count(len(l.Channels.Names()), "channel")
		if n := len(l.Schemas.ByTopic); n > 0 {
			c.Counts += ", " + plural.Count(n, "schema")
		}
	}
	return g.WriteChecked(c)
}
