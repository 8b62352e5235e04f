package cli

import (
	"context"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/journal"
)

// candidates completes from the declared system. What cannot be asked offers
// nothing: completion must not fail at a prompt.
func (c *cli) candidates(ctx context.Context, list func(app *control.App) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	var names []string
	err := c.with(ctx, func(app *control.App) (err error) {
		names, err = list(app)
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (c *cli) completeTargets(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), targetNames)
}

func targetNames(app *control.App) ([]string, error) {
	var names []string
	for _, t := range app.Inventory.Targets() {
		names = append(names, t.Name)
	}
	return names, nil
}

// completePoints offers points first, then targets.
func (c *cli) completePoints(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return c.candidates(cmd.Context(), targetNames)
	}
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		points, err := app.Points(cmd.Context())
		names := []string{"latest"}
		for _, p := range points {
			names = append(names, p.ID)
		}
		return names, err
	})
}

func (c *cli) completeRuns(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		if _, err := os.Stat(app.StateDir()); err != nil {
			return nil, nil // nothing was run yet, and a prompt is no reason to make a journal
		}
		runs, _, err := app.Runs(cmd.Context(), journal.Query{Limit: 50})
		var names []string
		for _, r := range runs {
			names = append(names, r.ID+"\t"+r.Verb)
		}
		return names, err
	})
}

func (c *cli) completeJobs(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		return slices.Sorted(maps.Keys(app.Config.Jobs)), nil
	})
}

func (c *cli) completePings(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		return slices.Sorted(maps.Keys(app.Config.Pings)), nil
	})
}

func (c *cli) completeRules(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) (names []string, err error) {
		for _, rule := range app.Config.Reconcile {
			names = append(names, rule.Name)
		}
		return names, nil
	})
}

func (c *cli) completeKinds(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, k := range c.Kinds.Kinds() {
		names = append(names, k.Name())
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
