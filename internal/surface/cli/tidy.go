package cli

import (
	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

func (c *cli) tidyCommand() *cobra.Command {
	cmd := c.command("tidy", "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.submit(cmd.Context(), control.Request{Verb: "tidy"})
	}
	return cmd
}
