package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

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
