package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func (c *cli) restoreCommand() *cobra.Command {
	cmd := c.command("restore", "POINT [TARGET…]")
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.ValidArgsFunction = c.completePoints
	only := cmd.Flags().String("only", "", c.say("cli.flag-only"))
	to := cmd.Flags().String("to", "", c.say("cli.flag-to"))
	discard := cmd.Flags().StringArray("discard-current", nil, c.say("cli.flag-discard"))
	cmd.Flags().StringVar(&c.plan, "plan", "", c.say("cli.flag-plan"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		return c.with(ctx, func(app *control.App) error {
			if *to != "" {
				return c.extract(ctx, app, args[0], args[1:], *only, *to)
			}
			req := control.Request{Verb: "restore", Point: args[0], Targets: args[1:], Only: *only, Discard: *discard}
			if c.dryRun {
				return c.preview(ctx, app, req)
			}
			plan, err := app.MakePlan(ctx, req)
			if err != nil {
				return err
			}
			return c.proceed(ctx, app, plan)
		})
	}
	return cmd
}

func (c *cli) extract(ctx context.Context, app *control.App, point string, targets []string, only, to string) error {
	files, err := app.Extract(ctx, point, targets, only, to)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(map[string]any{"exit_code": 0, "directory": to, "files": files})
		return nil
	}
	fmt.Fprintln(c.Out, c.say("cli.extracted", "n", files, "dir", to))
	return nil
}

// proceed shows a plan and applies it when somebody agrees: at the terminal by
// typing what is asked, elsewhere by --yes and the digest of a plan that was
// printed before.
func (c *cli) proceed(ctx context.Context, app *control.App, plan journal.Plan) error {
	if !c.json {
		c.printPlan(plan)
	}
	if err := c.agreed(plan); err != nil {
		if c.json {
			return c.showRefusal(plan, err)
		}
		return err
	}
	if plan.Approved.IsZero() {
		if _, err := app.Approve(ctx, plan.Digest); err != nil {
			return err
		}
	}
	run, err := app.Apply(ctx, plan.Digest)
	return c.finished(ctx, app, run, err)
}

// showRefusal prints a plan together with why it was not applied.
func (c *cli) showRefusal(plan journal.Plan, err error) error {
	problem := engine.Problem(err)
	c.exit = problem.Code
	c.printJSON(runView{Verb: plan.Verb, Verdict: service.Unknown, Exit: problem.Code, Targets: []report.TargetView{},
		Plan: c.planView(plan), Error: c.problemView(problem, "", "")})
	return nil
}

// least is how much of a digest names a plan that somebody has read.
const least = len("sha256:") + 4

// agreed reports whether the plan may be applied now, or why not.
func (c *cli) agreed(plan journal.Plan) error {
	if c.plan != "" && (len(c.plan) < least || !strings.HasPrefix(plan.Digest, c.plan)) {
		return fmt.Errorf("the plan is now %s, not %s: %w", plan.Digest, c.plan, service.ErrStale)
	}
	destructive := riskiest(plan) == service.Destructive
	switch {
	case !plan.Approved.IsZero(), c.yes && (!destructive || c.plan != ""):
		return nil
	case terminal(c.In):
		return c.ask(plan)
	}
	return &service.Fault{ID: "error.approval-missing", Args: service.Args{"plan": plan.Digest},
		Err: fmt.Errorf("nobody agreed to the plan: %w", service.ErrRefused)}
}

func riskiest(plan journal.Plan) service.Risk {
	worst := service.ReadOnly
	for _, s := range plan.Steps {
		if s.Risk == service.Destructive || worst == service.ReadOnly {
			worst = s.Risk
		}
	}
	return worst
}

// ask wants the first replaced target's name typed: a habit of pressing y does
// not answer it.
func (c *cli) ask(plan journal.Plan) error {
	name := "yes"
	for _, s := range plan.Steps {
		if s.Risk == service.Destructive {
			name = s.Target
			break
		}
	}
	fmt.Fprint(c.Err, c.say("cli.type-to-agree", "name", name)+" ")
	answer, err := bufio.NewReader(c.In).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != name {
		return fmt.Errorf("not agreed: %w", service.ErrRefused)
	}
	return nil
}

func (c *cli) printPlan(p journal.Plan) {
	fmt.Fprintln(c.Out, c.say("cli.plan-head", "verb", p.Verb, "digest", p.Digest))
	for _, s := range c.planSteps(p.Steps) {
		fmt.Fprintf(c.Out, "  %s  %s\n", c.say("cli.risk-"+string(s.Risk)), s.Title)
	}
}

func (c *cli) showPlan(p journal.Plan) error {
	c.printJSON(map[string]any{"exit_code": 0, "plan": c.planView(p)})
	return nil
}

func (c *cli) planCommand() *cobra.Command {
	cmd := c.command("plan", "VERB [ARG…]")
	only := cmd.Flags().String("only", "", c.say("cli.flag-only"))
	discard := cmd.Flags().StringArray("discard-current", nil, c.say("cli.flag-discard"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		return c.with(ctx, func(app *control.App) error {
			if len(args) == 0 {
				return c.listPlans(ctx, app)
			}
			req, err := planned(args)
			if err != nil {
				return err
			}
			req.Only, req.Discard = *only, *discard
			plan, err := app.MakePlan(ctx, req)
			if err != nil {
				return err
			}
			if c.json {
				return c.showPlan(plan)
			}
			c.printPlan(plan)
			fmt.Fprintln(c.Out, c.say("cli.plan-next", "digest", plan.Digest))
			return nil
		})
	}
	return cmd
}

func planned(args []string) (control.Request, error) {
	switch verb := args[0]; verb {
	case "check", "backup":
		return control.Request{Verb: verb, Targets: args[1:]}, nil
	case "verify", "drill", "restore":
		req := control.Request{Verb: verb}
		if len(args) > 1 {
			req.Point, req.Targets = args[1], args[2:]
		}
		return req, nil
	}
	return control.Request{}, usage{fmt.Errorf("%q cannot be planned: check, backup, verify, drill or restore can", args[0])}
}

func (c *cli) listPlans(ctx context.Context, app *control.App) error {
	plans, err := app.Plans(ctx)
	if err != nil {
		return err
	}
	if c.json {
		views := []*planView{}
		for _, p := range plans {
			views = append(views, c.planView(p))
		}
		c.printJSON(map[string]any{"plans": views, "next": nil})
		return nil
	}
	for _, p := range plans {
		fmt.Fprintf(c.Out, "%s  %s  %s  %s\n", p.Digest, p.Verb, c.words.Time(p.Made), c.planState(p))
	}
	return nil
}

func (c *cli) planState(p journal.Plan) string {
	switch {
	case p.Applied != "":
		return c.say("cli.plan-applied", "run", p.Applied)
	case !p.Approved.IsZero():
		return c.say("cli.plan-approved", "by", p.By)
	}
	return c.say("cli.plan-waiting")
}

func (c *cli) approveCommand() *cobra.Command {
	cmd := c.command("approve", "PLAN")
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			plan, err := app.Approve(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return c.showPlan(plan)
			}
			c.printPlan(plan)
			fmt.Fprintln(c.Out, c.say("cli.plan-approved", "by", plan.By))
			return nil
		})
	}
	return cmd
}

func (c *cli) applyCommand() *cobra.Command {
	cmd := c.command("apply", "PLAN")
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			run, err := app.Apply(cmd.Context(), args[0])
			return c.finished(cmd.Context(), app, run, err)
		})
	}
	return cmd
}

func (c *cli) undoCommand() *cobra.Command {
	cmd := c.command("undo", "RUN")
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = c.completeRuns
	cmd.Flags().StringVar(&c.plan, "plan", "", c.say("cli.flag-plan"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			req, err := app.Undo(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.dryRun {
				return c.preview(cmd.Context(), app, req)
			}
			plan, err := app.MakePlan(cmd.Context(), req)
			if err != nil {
				return err
			}
			return c.proceed(cmd.Context(), app, plan)
		})
	}
	return cmd
}
