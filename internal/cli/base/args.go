// Package base is what the commands share: streams, global flags, exit codes,
// confirmation, configuration and connections.
package base

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Subcommand rejects the arguments of a command that only groups others.
func Subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q for %s", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		text += fmt.Sprintf(": did you mean %s?", s[0])
	}
	return Misused("%s", text)
}

func Help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Misused("%s takes no arguments, found %q", cmd.CommandPath(), strings.Join(args, " "))
	}
	return nil
}

func OneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return Misused("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

func AtMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return Misused("%s takes at most %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
