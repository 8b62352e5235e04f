package cli

import (
	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

func (c *cli) tuneCommand() *cobra.Command {
	cmd := c.command("tune", "[TARGET…]")
	cmd.ValidArgsFunction = c.completeAdvised
	cmd.RunE = func(cmd *cobra.Command, targets []string) error {
		return c.submit(cmd.Context(), control.Request{Verb: "tune", Targets: targets})
	}
	return cmd
}

// completeAdvised offers the targets that there is advice about.
func (c *cli) completeAdvised(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) (names []string, err error) {
		for _, t := range app.Inventory.Targets() {
			if t.Kind.Offers("tune") {
				names = append(names, t.Name)
			}
		}
		return names, nil
	})
}
