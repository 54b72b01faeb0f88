package cli

import "github.com/spf13/cobra"

func newChannels(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "channels", Short: "List, try and mend where alerts go", Args: subcommand, RunE: help,
		Long: "What waits for a channel stands in its outbox topic; /readyz says how much, for how long, and until\n" +
			"when it is kept.",
	}
	cmd.AddCommand(newChannelsList(g), newChannelsTest(g), newChannelsReset(g), newChannelsMove(g))
	return cmd
}
