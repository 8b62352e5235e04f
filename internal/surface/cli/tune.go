package cli

import "github.com/spf13/cobra"

func (c *cli) tuneCommand() *cobra.Command { return c.targetVerb("tune", "[TARGET…]") }
