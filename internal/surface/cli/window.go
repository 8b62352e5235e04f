package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/quantity"
)

func (c *cli) windowCommand() *cobra.Command {
	cmd := c.command("window", "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			windows, err := app.Windows(cmd.Context())
			if err != nil {
				return err
			}
			return c.showWindows(windows)
		})
	}
	cmd.AddCommand(c.windowOpenCommand(), c.windowCloseCommand())
	return cmd
}

func (c *cli) windowOpenCommand() *cobra.Command {
	cmd := c.command("window-open", "")
	cmd.Use, cmd.Args = "open NAME [TARGET…]", cobra.MinimumNArgs(1)
	cmd.ValidArgsFunction = c.completeWindows
	long := cmd.Flags().String("for", "", c.say("cli.flag-for"))
	why := cmd.Flags().String("why", "", c.say("cli.flag-why"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		span, err := quantity.ParseDuration(*long)
		if err != nil || span == 0 {
			return c.misuse("for", "got", *long)
		}
		return c.turn(cmd.Context(), "window open", func(app *control.App) (control.Window, error) {
			return app.OpenWindow(cmd.Context(), control.Opening{Name: args[0], For: span.Std(), Why: *why, Targets: args[1:]})
		})
	}
	return cmd
}

func (c *cli) windowCloseCommand() *cobra.Command {
	cmd := c.command("window-close", "")
	cmd.Use, cmd.Args = "close NAME", cobra.ExactArgs(1)
	cmd.ValidArgsFunction = c.completeWindows
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.turn(cmd.Context(), "window close", func(app *control.App) (control.Window, error) {
			return app.CloseWindow(cmd.Context(), args[0], "", "")
		})
	}
	return cmd
}

// turn opens or closes a window and shows how it stands then.
func (c *cli) turn(ctx context.Context, what string, do func(app *control.App) (control.Window, error)) error {
	if c.dryRun {
		return c.misuse("no-dry-run", "what", what)
	}
	return c.with(ctx, func(app *control.App) error {
		w, err := do(app)
		switch {
		case err != nil:
			return err
		case c.json:
			c.printJSON(map[string]any{"window": w, "exit_code": 0})
			return nil
		}
		_, err = fmt.Fprintf(c.Out, "%s: %s\n", w.Name, c.windowState(w))
		return err
	})
}

func (c *cli) showWindows(windows []control.Window) error {
	if c.json {
		c.printJSON(map[string]any{"windows": windows, "exit_code": 0})
		return nil
	}
	if len(windows) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.no-windows"))
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for _, window := range windows {
		targets := strings.Join(window.Targets, ", ")
		if targets == "" {
			targets = c.say("cli.window-all")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", window.Name, window.At, targets, c.windowState(window))
	}
	return w.Flush()
}

func (c *cli) windowState(w control.Window) string {
	switch {
	case w.Open && w.By != "":
		return c.say("cli.window-by-hand", "until", c.words.Time(w.Until), "by", w.By, "why", w.Why)
	case w.Open:
		return c.say("cli.window-open", "until", c.words.Time(w.Until))
	case w.From.IsZero():
		return c.say("cli.window-shut")
	}
	return c.say("cli.window-closed", "next", c.words.Time(w.From))
}

func (c *cli) completeWindows(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return c.candidates(cmd.Context(), targetNames)
	}
	return c.candidates(cmd.Context(), func(app *control.App) ([]string, error) {
		windows, err := app.Windows(cmd.Context())
		names := []string{}
		for _, w := range windows {
			names = append(names, w.Name)
		}
		return names, err
	})
}
