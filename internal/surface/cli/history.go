package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/journal"
)

func (c *cli) runsCommand() *cobra.Command {
	cmd := c.command("runs", "")
	cmd.Args = cobra.NoArgs
	var q journal.Query
	cmd.Flags().StringVar(&q.Verb, "verb", "", c.say("cli.flag-verb"))
	cmd.Flags().StringVar(&q.Target, "target", "", c.say("cli.flag-target"))
	cmd.Flags().IntVar(&q.Limit, "limit", 20, c.say("cli.flag-limit"))
	cmd.Flags().StringVar(&q.Before, "before", "", c.say("cli.flag-before"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error { return c.listRuns(cmd.Context(), app, q) })
	}
	return cmd
}

func (c *cli) listRuns(ctx context.Context, app *control.App, q journal.Query) error {
	runs, next, err := app.Runs(ctx, q)
	if err != nil {
		return err
	}
	if c.json {
		views := []runView{}
		for _, r := range runs {
			views = append(views, c.runView(r))
		}
		var more *string
		if next != "" {
			more = &next
		}
		c.printJSON(map[string]any{"runs": views, "next": more})
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for _, r := range runs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, c.runTitle(r), r.Verdict, c.runState(r), c.words.Time(r.Started))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if next != "" {
		fmt.Fprintln(c.Out, c.say("cli.more-runs", "before", next))
	}
	return nil
}

func (c *cli) runTitle(r journal.Run) string {
	if r.Verb == "run" {
		return r.Verb + " " + control.JobOf(r)
	}
	return r.Verb
}

func (c *cli) runState(r journal.Run) string {
	if r.Finished.IsZero() {
		return c.say("cli.run-open")
	}
	return c.say("cli.run-exit", "code", r.Exit, "took", r.Finished.Sub(r.Started).Seconds())
}

func (c *cli) showCommand() *cobra.Command {
	cmd := c.command("show", "RUN")
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = c.completeRuns
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			run, _, err := app.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json {
				return c.printRun(cmd.Context(), app, run)
			}
			page, err := app.Page(cmd.Context(), run.ID)
			if err != nil {
				return err
			}
			return c.text().Write(c.Out, page)
		})
	}
	return cmd
}

func (c *cli) diffCommand() *cobra.Command {
	cmd := c.command("diff", "RUN RUN")
	cmd.Args = cobra.ExactArgs(2)
	cmd.ValidArgsFunction = c.completeRuns
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			changes, err := app.Diff(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return c.showChanges(changes)
		})
	}
	return cmd
}

func (c *cli) showChanges(changes []control.Change) error {
	if c.json {
		if changes == nil {
			changes = []control.Change{}
		}
		c.printJSON(map[string]any{"changes": changes, "exit_code": 0})
		return nil
	}
	if len(changes) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.no-change"))
	}
	for _, ch := range changes {
		what := ch.Fact
		if ch.Finding != nil {
			what, _ = c.words.Finding(ch.Finding.ID, ch.Finding.Words(ch.Target))
		}
		fmt.Fprintln(c.Out, c.say("cli.change-"+ch.What, "target", ch.Target, "what", what, "before", ch.Before, "after", ch.After))
	}
	return nil
}

func (c *cli) auditLogCommand() *cobra.Command {
	cmd := c.group("audit-log")
	verify := c.command("audit-log-verify", "")
	verify.Use, verify.Args = "verify", cobra.NoArgs
	verify.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			records, heads, err := app.VerifyLog(cmd.Context())
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]any{"records": records, "heads": heads, "exit_code": 0})
				return nil
			}
			fmt.Fprintln(c.Out, c.say("cli.audit-log-whole", "records", records, "heads", heads))
			return nil
		})
	}
	cmd.AddCommand(verify)
	return cmd
}
