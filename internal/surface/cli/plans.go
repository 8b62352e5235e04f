package cli

import (
	"bufio"
	"context"
	"fmt"
	"slices"
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
		if *to != "" && c.dryRun {
			return c.misuse("no-dry-run", "what", "restore --to")
		}
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

func (c *cli) maintainCommand() *cobra.Command { return c.careCommand("maintain") }

// careCommand plans, shows the plan, and applies it when somebody agrees.
func (c *cli) careCommand(verb string) *cobra.Command {
	cmd := c.command(verb, "[TARGET…]")
	cmd.ValidArgsFunction = c.completeTargets
	cmd.Flags().StringVar(&c.plan, "plan", "", c.say("cli.flag-plan"))
	to := c.ontoFlag(cmd, verb)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		return c.with(ctx, func(app *control.App) error {
			req := control.Request{Verb: verb, Targets: args, To: *to}
			if c.dryRun {
				return c.preview(ctx, app, req)
			}
			plan, err := app.MakePlan(ctx, req)
			if err != nil {
				return err
			}
			if len(plan.Steps) == 0 {
				return c.showNothingDue(plan)
			}
			return c.proceed(ctx, app, plan)
		})
	}
	return cmd
}

func (c *cli) showNothingDue(plan journal.Plan) error {
	if c.json {
		return c.showPlan(plan)
	}
	fmt.Fprintln(c.Out, c.say("cli.nothing-due"))
	return nil
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
		Plan: c.planView(plan), Error: c.problemView(problem, "")})
	return nil
}

// least is how many digits of a digest name a plan that somebody has read.
const least = 4

// names reports whether the text is a digest or the beginning of one; "sha256:"
// may be left out.
func names(text, digest string) bool {
	const algorithm = "sha256:"
	digits := strings.TrimPrefix(text, algorithm)
	return len(digits) >= least && strings.HasPrefix(strings.TrimPrefix(digest, algorithm), digits)
}

// agreed reports whether the plan may be applied now, or why not.
func (c *cli) agreed(plan journal.Plan) error {
	if c.plan != "" && !names(c.plan, plan.Digest) {
		return fmt.Errorf("the plan is now %s, not %s: %w", plan.Digest, c.plan, service.ErrStale)
	}
	switch {
	case !plan.Approved.IsZero(), c.yes && (c.plan != "" || !destructive(plan)):
		return nil
	case terminal(c.In) && !c.json: // which has not been shown the plan
		return c.ask(plan)
	}
	return &service.Fault{ID: "error.approval-missing", Args: service.Args{"plan": plan.Short()},
		Err: fmt.Errorf("nobody agreed to the plan: %w", service.ErrRefused)}
}

// destructive reports whether a plan has a step that destroys something, or one of
// which nobody can say that it does not.
func destructive(plan journal.Plan) bool {
	mild := []service.Risk{service.ReadOnly, service.Harmless, service.Reversible, service.Disruptive}
	return slices.ContainsFunc(plan.Steps, func(s service.Step) bool { return !slices.Contains(mild, s.Risk) })
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
		fmt.Fprintln(c.Out, "  "+c.say("cli.plan-step", "what", s.Title, "risk", c.say("cli.risk-"+string(s.Risk))))
		c.printNote(s)
	}
}

func (c *cli) printNote(s planStepView) {
	if s.Note != "" {
		fmt.Fprintln(c.Out, "    "+s.Note)
	}
}

func (c *cli) showPlan(p journal.Plan) error {
	c.printJSON(map[string]any{"exit_code": 0, "plan": c.planView(p)})
	return nil
}

func (c *cli) planCommand() *cobra.Command {
	cmd := c.command("plan", "VERB [ARG…]")
	only := cmd.Flags().String("only", "", c.say("cli.flag-only"))
	from := cmd.Flags().String("from", "", c.say("cli.flag-from"))
	discard := cmd.Flags().StringArray("discard-current", nil, c.say("cli.flag-discard"))
	to := c.ontoFlag(cmd, "convert")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx := cmd.Context()
		req, err := c.planned(args, *only, *from, *discard)
		if err != nil {
			return err
		}
		if req.To = *to; *to != "" && req.Verb != "convert" {
			return c.misuse("plan-to", "verb", req.Verb)
		}
		return c.with(ctx, func(app *control.App) error {
			switch {
			case len(args) == 0:
				return c.listPlans(ctx, app)
			case c.dryRun:
				return c.preview(ctx, app, req)
			}
			plan, err := app.MakePlan(ctx, req)
			if err != nil {
				return err
			}
			if c.json {
				return c.showPlan(plan)
			}
			c.printPlan(plan)
			fmt.Fprintln(c.Out, c.say("cli.plan-next", "digest", plan.Short()))
			return nil
		})
	}
	return cmd
}

// planned reads what is to be planned; nothing is, without arguments.
func (c *cli) planned(args []string, only, from string, discard []string) (control.Request, error) {
	verb := first(args)
	req := control.Request{Verb: verb, Only: only, Discard: discard}
	switch verb {
	case "":
		return req, nil
	case "check", "backup", "maintain", "repair", "merge", "dedup", "convert":
		req.Targets = args[1:]
	case "recover":
		if req.Targets, req.From = args[1:], from; len(req.Targets) != 1 {
			return req, c.misuse("plan-recover")
		}
	case "verify", "drill", "restore":
		if len(args) > 1 {
			req.Point, req.Targets = args[1], args[2:]
		}
	default:
		return req, c.misuse("plan-verb", "got", verb)
	}
	switch {
	case verb == "restore" && req.Point == "":
		return req, c.misuse("plan-point")
	case verb == "verify" && len(req.Targets) > 0:
		return req, c.misuse("plan-verify")
	case verb != "recover" && from != "":
		return req, c.misuse("plan-from", "verb", verb)
	case verb != "restore" && (only != "" || len(discard) > 0):
		return req, c.misuse("plan-flags", "verb", verb)
	}
	return req, nil
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
		if c.dryRun {
			return c.misuse("no-dry-run", "what", "approve")
		}
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
			if c.dryRun {
				plan, err := app.Plan(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.showSteps(plan.Verb, plan.Steps)
			}
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
