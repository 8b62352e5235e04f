package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

func (c *cli) recoverCommand() *cobra.Command {
	cmd := c.command("recover", "TARGET")
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = c.completeTargets
	from := cmd.Flags().String("from", "", c.say("cli.flag-from"))
	cmd.Flags().StringVar(&c.plan, "plan", "", c.say("cli.flag-plan"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			return c.recover(cmd.Context(), app, control.Request{Verb: "recover", Targets: args, From: *from})
		})
	}
	return cmd
}

// recover shows what would be brought back, and brings it back when somebody agrees.
func (c *cli) recover(ctx context.Context, app *control.App, req control.Request) error {
	if c.dryRun {
		steps, err := app.Steps(ctx, req)
		if err != nil {
			return err
		}
		c.sayRight(req, len(steps))
		return c.showSteps(req.Verb, steps)
	}
	plan, err := app.MakePlan(ctx, req)
	switch {
	case err != nil:
		return err
	case len(plan.Steps) > 0:
		return c.proceed(ctx, app, plan)
	case c.json:
		return c.showPlan(plan)
	}
	c.sayRight(req, 0)
	return nil
}

// sayRight says that what is there is right, where that is why there are no steps.
func (c *cli) sayRight(req control.Request, steps int) {
	if steps == 0 && !c.json {
		fmt.Fprintln(c.Out, c.say("cli.nothing-to-recover", "target", req.Targets[0]))
	}
}
