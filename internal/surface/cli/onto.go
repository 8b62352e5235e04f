package cli

import "github.com/spf13/cobra"

// ontoFlag is --to of convert: the table that is written anew. Other verbs have none.
func (c *cli) ontoFlag(cmd *cobra.Command, verb string) *string {
	if verb != "convert" {
		return new(string)
	}
	to := cmd.Flags().String("to", "", c.say("cli.flag-onto"))
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions) // it fails for flags that are not there
	return to
}
