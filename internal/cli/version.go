package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newVersion(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, and what it was built from", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if g.json() {
				return newEncoder(g.io.out).Encode(built())
			}
			_, err := fmt.Fprintln(g.io.out, built())
			return err
		},
	}
}
