package channels

import (
	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
)

func New(g *base.Globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "channels", Short: "List and try where alerts go, and move what waits", Args: base.Subcommand, RunE: base.Help,
		Long: "What waits for a channel stands in its outbox topic; /readyz says how much, for how long, and until\n" +
			"when it is kept.",
	}
	cmd.AddCommand(newList(g), newTest(g), newMove(g))
	return cmd
}
