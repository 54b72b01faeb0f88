package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/algotrade/notifier/internal/cli/alerts"
	"github.com/algotrade/notifier/internal/cli/base"
	"github.com/algotrade/notifier/internal/cli/channels"
	"github.com/algotrade/notifier/internal/cli/dlq"
	"github.com/algotrade/notifier/internal/cli/doctor"
	"github.com/algotrade/notifier/internal/cli/lag"
	"github.com/algotrade/notifier/internal/cli/samples"
	"github.com/algotrade/notifier/internal/cli/silence"
	"github.com/algotrade/notifier/internal/suggest"
)

const about = `notifier turns events on Kafka into alerts: it consumes trade-executions,
portfolio-updates and forward-test-events, matches each event against rules, and
sends alerts to people and services. What cannot be processed or delivered is
kept as a dead letter.

Start here, without setup:

  %s dev    broker, sample events and alerts in one process
`

func init() { cobra.EnableCommandSorting = false } // dev first

func newRoot(g *base.Globals) *cobra.Command {
	io := g.IO
	root := &cobra.Command{
		Use: "notifier", Short: "Kafka events in, alerts out", Long: fmt.Sprintf(about, base.Self()),
		SilenceErrors: true, SilenceUsage: true, Version: base.Built().String(),
		Args: base.Subcommand, RunE: base.Help,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			formats := []string{"text", "json"}
			if more := cmd.Annotations[base.Formats]; more != "" {
				formats = append(formats, strings.Fields(more)...)
			}
			if !slices.Contains(formats, g.Output) {
				return base.Misused("-o %s: choose one of %s", g.Output, strings.Join(formats, ", "))
			}
			return nil
		},
	}
	root.SetVersionTemplate("{{ .Version }}\n")
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(flagError)
	f := root.PersistentFlags()
	f.StringVarP(&g.ConfigFile, "config", "c", "", "configuration `FILE` (default $NOTIFIER_CONFIG, /etc/notifier/notifier.yaml, ./configs/notifier.yaml)")
	f.StringSliceVar(&g.Brokers, "brokers", nil, "Kafka brokers, `HOST:PORT`, separated by commas")
	f.StringVar(&g.Group, "group", "", "consumer group")
	f.StringVarP(&g.Output, "output", "o", "text", "text or json")
	f.StringVar(&g.LogLevel, "log-level", "", "debug, info, warn or error")
	root.AddCommand(newDev(g), newRun(g), newTopics(g), newProduce(g), newRules(g), samples.New(g), newConfig(g), channels.New(g), alerts.New(g), silence.New(g), dlq.New(g), lag.New(g), newHealth(g), doctor.New(g), newVersion(g))
	addHelp(g, root)
	wrapHelp(g, root)
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Args, completion.RunE = base.Subcommand, base.Help
	return root
}

// forms say what a flag expects, by the type of its value; other types say it themselves.
var forms = map[string]string{
	"int": "a whole number such as 5", "int32": "a whole number such as 5", "int16": "a whole number such as 5",
	"float64": "a number such as 0.5", "duration": "a duration such as 30s, 5m or 1h", "bool": "true or false",
}

// flagError returns the error of a flag, with a suggestion for one that does not exist
// and the form of a value that cannot be read.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := suggest.Closest(unknown.GetSpecifiedName(), names); near != "" {
			return base.Misused("%w: did you mean --%s?", err, near)
		}
	}
	var unreadable *pflag.InvalidValueError
	if errors.As(err, &unreadable) {
		f := unreadable.GetFlag()
		if form := forms[f.Value.Type()]; form != "" && errors.Is(err, strconv.ErrRange) {
			return base.Misused("--%s %q is out of range: write %s", f.Name, unreadable.GetValue(), form)
		} else if form != "" {
			return base.Misused("--%s %q: write %s", f.Name, unreadable.GetValue(), form)
		}
	}
	return base.Misused("%w", err)
}
