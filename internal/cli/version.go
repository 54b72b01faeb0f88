package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/internal/cli/base"
)

func newVersion(g *base.Globals) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print version and build information", Args: base.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if g.JSON() {
				return base.NewEncoder(g.IO.Out).Encode(base.Built())
			}
			_, err := fmt.Fprintln(g.IO.Out, base.Built())
			return err
		},
	}
}
