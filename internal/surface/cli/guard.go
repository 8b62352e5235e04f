package cli

import (
	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

// guardCommand is what upkeep starts beside itself while a service stands still, and
// nobody by hand: it reads from its input what to do.
func (c *cli) guardCommand() *cobra.Command {
	cmd := c.command("guard", "")
	cmd.Hidden, cmd.Args = true, cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		return c.with(ctx, func(app *control.App) error { return app.StandGuard(ctx, c.In, c.Out) })
	}
	return cmd
}
