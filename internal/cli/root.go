package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/algotrade/notifier/internal/secret"
)

const about = `notifier turns events on Kafka into alerts: it consumes trade-executions,
portfolio-updates and forward-test-events, matches each event against rules, and
sends alerts to people and machines. What cannot be handled is kept as a dead
letter and can be looked at.

Start here, nothing to set up:

  %s dev      everything in one process: a broker, sample events, alerts on this terminal
`

// globals are the flags that every command has, and the streams.
type globals struct {
	io       stdio
	config   string
	brokers  []string
	group    string
	output   string
	logLevel string
	inUse    string           // the group, once the configuration is read
	redactor *secret.Redactor // nil until then: it knows what credentials look like

	foundSaid bool // which configuration is used
}

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

// moreFormats is the annotation of a command that knows other outputs than
// text and json.
const moreFormats = "formats"

// isDaemon is the annotation of the commands that are one, whose exit code says
// whether another start can help.
const isDaemon = "daemon"

// self is the command as it was started, with the flags that say which cluster
// and group are meant, for the commands we suggest.
func (g *globals) self() string {
	text := self()
	if g.config != "" {
		text += " -c " + argument(g.config)
	}
	if len(g.brokers) > 0 {
		text += " --brokers " + argument(strings.Join(g.brokers, ","))
	}
	if g.group != "" {
		text += " --group " + argument(g.group)
	}
	return text
}

func (g *globals) json() bool { return g.output == "json" }

// width is the terminal's width; 100 where out is no terminal.
func (g *globals) width() int {
	if f, ok := g.io.out.(*os.File); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			return w
		}
	}
	return 100
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func misused(format string, args ...any) error { return fail(exitMisused, format, args...) }

// subcommand is for commands that only hold others.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		text += fmt.Sprintf(": did you mean %s?", s[0])
	}
	return misused("%s", text)
}

func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return misused("%s takes no arguments, found %q", cmd.CommandPath(), strings.Join(args, " "))
	}
	return nil
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return misused("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return misused("%s takes at most %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
