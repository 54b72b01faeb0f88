package cli

import (
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
)

func newCompletion(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print a script that completes commands in a shell",
		Long: "Print a script that completes commands and flags in bash, zsh or fish. The Debian package installs\n" +
			"them; elsewhere:\n\n" +
			"  bash  notifier completion bash > /etc/bash_completion.d/notifier\n" +
			"  zsh   notifier completion zsh > \"${fpath[1]}/_notifier\"\n" +
			"  fish  notifier completion fish > ~/.config/fish/completions/notifier.fish",
		ValidArgs: []string{"bash", "zsh", "fish"}, Args: base.OneArg("the name of a shell: bash, zsh or fish"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), g.IO.Out
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			}
			return base.Misused("no completions for %q: choose one of bash, zsh, fish", args[0])
		},
	}
}
