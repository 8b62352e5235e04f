package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func (c *cli) checkCommand() *cobra.Command {
	return c.targetVerb("check", "[TARGET…]")
}

func (c *cli) backupCommand() *cobra.Command {
	cmd := c.command("backup", "[TARGET…]")
	cmd.ValidArgsFunction = c.completeTargets
	cmd.Flags().StringVar(&c.plan, "plan", "", c.say("cli.flag-plan"))
	cmd.RunE = func(cmd *cobra.Command, targets []string) error {
		return c.backup(cmd.Context(), control.Request{Verb: "backup", Targets: targets})
	}
	return cmd
}

// backup asks first where copying stops a service.
func (c *cli) backup(ctx context.Context, req control.Request) error {
	return c.with(ctx, func(app *control.App) error {
		asks, err := app.NeedsApproval(ctx, req)
		switch {
		case err != nil:
			return err
		case c.dryRun:
			return c.preview(ctx, app, req)
		case !asks:
			run, err := app.Submit(ctx, req)
			return c.finished(ctx, app, run, err)
		}
		plan, err := app.MakePlan(ctx, req)
		if err != nil {
			return err
		}
		return c.proceed(ctx, app, plan)
	})
}

func (c *cli) reconcileCommand() *cobra.Command {
	cmd := c.command("reconcile", "[RULE…]")
	cmd.ValidArgsFunction = c.completeRules
	cmd.RunE = func(cmd *cobra.Command, rules []string) error {
		return c.submit(cmd.Context(), control.Request{Verb: "reconcile", Targets: rules})
	}
	return cmd
}

// targetVerb is a verb that takes targets and nothing else.
func (c *cli) targetVerb(verb, args string) *cobra.Command {
	cmd := c.command(verb, args)
	cmd.ValidArgsFunction = c.completeTargets
	cmd.RunE = func(cmd *cobra.Command, targets []string) error {
		return c.submit(cmd.Context(), control.Request{Verb: verb, Targets: targets})
	}
	return cmd
}

// group is a command that has only commands below it. Without one it shows them; a
// word that is none of them is a mistake, not a reason to end well.
func (c *cli) group(name string) *cobra.Command {
	cmd := c.command(name, "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// command is a command with its words from the catalogue.
func (c *cli) command(name, args string) *cobra.Command {
	return &cobra.Command{Use: strings.TrimSpace(name + " " + args), Short: c.say("cli." + name + "-short"),
		Long: c.say("cli." + name + "-long"), Example: c.say("cli." + name + "-example")}
}

func (c *cli) verifyCommand() *cobra.Command {
	cmd := c.command("verify", "[POINT]")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = c.completePoints
	sample := cmd.Flags().String("sample", "100%", c.say("cli.flag-sample"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		share, ok := percent(*sample)
		if !ok {
			return c.misuse("sample", "got", *sample)
		}
		return c.submit(cmd.Context(), control.Request{Verb: "verify", Point: first(args), Sample: share})
	}
	return cmd
}

// percent reads a share above nothing and of at most all; what is not a number
// compares as neither.
func percent(text string) (share float64, ok bool) {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(digits, 64)
	return n / 100, ok && err == nil && n > 0 && n <= 100
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (c *cli) drillCommand() *cobra.Command {
	cmd := c.command("drill", "[POINT [TARGET…]]")
	cmd.ValidArgsFunction = c.completePoints
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req := control.Request{Verb: "drill", Point: first(args)}
		if len(args) > 1 {
			req.Targets = args[1:]
		}
		return c.submit(cmd.Context(), req)
	}
	return cmd
}

func (c *cli) runCommand() *cobra.Command {
	cmd := c.command("run", "JOB")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = c.completeJobs
	resume := cmd.Flags().String("resume", "", c.say("cli.flag-resume"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (len(args) == 1) == (*resume != "") {
			return c.misuse("run")
		}
		if *resume != "" && c.dryRun {
			return c.misuse("no-dry-run", "what", "run --resume")
		}
		if *resume != "" {
			return c.with(cmd.Context(), func(app *control.App) error {
				run, err := app.Resume(cmd.Context(), *resume)
				return c.finished(cmd.Context(), app, run, err)
			})
		}
		return c.submit(cmd.Context(), control.Request{Verb: "run", Job: args[0]})
	}
	return cmd
}

// submit runs one request, or lists its steps when nothing is to be touched.
func (c *cli) submit(ctx context.Context, req control.Request) error {
	return c.with(ctx, func(app *control.App) error {
		if c.dryRun {
			return c.preview(ctx, app, req)
		}
		if req.Verb == "run" {
			run, err := app.RunJob(ctx, req.Job)
			return c.finished(ctx, app, run, err)
		}
		run, err := app.Submit(ctx, req)
		return c.finished(ctx, app, run, err)
	})
}

func (c *cli) preview(ctx context.Context, app *control.App, req control.Request) error {
	steps, err := app.Steps(ctx, req)
	if err != nil {
		return err
	}
	return c.showSteps(req.Verb, steps)
}

func (c *cli) showSteps(verb string, steps []service.Step) error {
	if c.json {
		c.printJSON(map[string]any{"verb": verb, "exit_code": 0, "plan": map[string]any{"steps": c.planSteps(steps)}})
		return nil
	}
	if len(steps) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.nothing-due"))
	}
	for _, s := range c.planSteps(steps) {
		fmt.Fprintln(c.Out, c.say("cli.would", "what", s.Title, "risk", c.say("cli.risk-"+string(s.Risk))))
		c.printNote(s)
	}
	return nil
}

// finished prints a run and takes over its exit code.
func (c *cli) finished(ctx context.Context, app *control.App, run journal.Run, err error) error {
	if err != nil {
		return err
	}
	c.exit = run.Exit
	if c.json {
		return c.printRun(ctx, app, run)
	}
	page, err := app.Page(context.WithoutCancel(ctx), run.ID)
	if err != nil || c.quiet && c.exit == 0 {
		return err
	}
	return c.text().Write(c.Out, page)
}

func (c *cli) text() report.Text {
	return report.Text{Words: c.words, Colour: c.colour(c.Out), Now: c.Now(), Columns: c.columns()}
}

func (c *cli) printRun(ctx context.Context, app *control.App, run journal.Run) error {
	view := c.runView(run)
	if run.Point != "" {
		point, err := app.Point(context.WithoutCancel(ctx), run.Point)
		switch {
		case err == nil:
			view.Point = pointOf(point)
		case !errors.Is(err, service.ErrNotFound): // removed since: its ID stays
			return err
		}
	}
	if run.Plan != "" {
		plan, err := app.Plan(context.WithoutCancel(ctx), run.Plan)
		if err != nil {
			return err
		}
		view.Plan = c.planView(plan)
	}
	c.printJSON(view)
	return nil
}
