package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

func (c *cli) checklistCommand() *cobra.Command {
	cmd := c.command("checklist", "[LIST]")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = c.completeLists
	span := cmd.Flags().String("span", "", c.say("cli.flag-span"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			read, show := app.Checklists, c.printLists
			if *span != "" {
				read = func(ctx context.Context, name string) ([]control.Checklist, error) {
					return app.ChecklistHistory(ctx, name, *span)
				}
				show = c.printHistory
			}
			lists, err := read(cmd.Context(), first(args))
			switch {
			case err != nil:
				return err
			case c.json:
				c.printJSON(map[string]any{"lists": lists, "exit_code": 0})
				return nil
			case len(lists) == 0:
				fmt.Fprintln(c.Out, c.say("cli.no-lists"))
			}
			return show(lists)
		})
	}
	cmd.AddCommand(c.checklistSignCommand())
	return cmd
}

func (c *cli) checklistSignCommand() *cobra.Command {
	cmd := c.command("checklist-sign", "")
	cmd.Use, cmd.Args = "sign LIST/ITEM", cobra.ExactArgs(1)
	note := cmd.Flags().String("note", "", c.say("cli.flag-note"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.dryRun {
			return c.misuse("no-dry-run", "what", "checklist sign")
		}
		return c.with(cmd.Context(), func(app *control.App) error {
			item, again, err := app.Sign(cmd.Context(), args[0], *note)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]any{"item": item, "again": again, "exit_code": 0})
				return nil
			}
			id := "cli.signed"
			if again {
				id = "cli.signed-before"
			}
			fmt.Fprintln(c.Out, c.say(id, "item", args[0], "by", item.Done.By, "at", c.words.Time(item.Done.At)))
			return nil
		})
	}
	return cmd
}

// printLists shows each list as it stands now.
func (c *cli) printLists(lists []control.Checklist) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for i, l := range lists {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, c.say("cli.list-head", "list", l.Name, "span", l.Span, "done", l.Done(), "n", len(l.Items)))
		for _, item := range l.Items {
			mark, said := c.itemState(item)
			fmt.Fprintf(w, "  %s %s\t%s\n", mark, item.Name, said)
		}
	}
	return w.Flush()
}

func (c *cli) itemState(item control.ChecklistItem) (mark, said string) {
	by := strings.TrimSpace(item.Verb + " " + item.Target)
	switch done := item.Done; {
	case done != nil && done.Run != "":
		return "[x]", c.say("cli.item-run", "run", done.Run, "verb", by, "verdict", done.Verdict, "at", c.words.Time(done.At))
	case done != nil && done.Note != "":
		return "[x]", c.say("cli.item-noted", "by", done.By, "at", c.words.Time(done.At), "note", done.Note)
	case done != nil:
		return "[x]", c.say("cli.item-signed", "by", done.By, "at", c.words.Time(done.At))
	case item.Overdue != "":
		return "[!]", c.say("cli.item-overdue", "span", item.Overdue, "verb", by)
	}
	return "[ ]", c.say("cli.item-open", "verb", by)
}

// printHistory shows a line per span: what was done, and what was not.
func (c *cli) printHistory(lists []control.Checklist) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for _, l := range lists {
		missing := []string{}
		for _, item := range l.Items {
			if item.Done == nil {
				missing = append(missing, item.Name)
			}
		}
		said := ""
		if len(missing) > 0 {
			said = c.say("cli.list-without", "items", missing)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.Name, l.Span, c.say("cli.list-done", "done", l.Done(), "n", len(l.Items)), said)
	}
	return w.Flush()
}

func (c *cli) completeLists(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		lists, err := app.Checklists(cmd.Context(), "")
		names := []string{}
		for _, l := range lists {
			names = append(names, l.Name)
		}
		return names, err
	})
}
