package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/quantity"
)

func (c *cli) silenceCommand() *cobra.Command {
	cmd := c.command("silence", "")
	cmd.Args = cobra.NoArgs
	all := cmd.Flags().Bool("all", false, c.say("cli.flag-silence-all"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			list, err := app.Silences(cmd.Context(), *all)
			if err != nil {
				return err
			}
			return c.showSilences(list)
		})
	}
	cmd.AddCommand(c.silenceAddCommand(), c.silenceExpireCommand())
	return cmd
}

func (c *cli) showSilences(list []control.Silence) error {
	if c.json {
		c.printJSON(map[string]any{"silences": list, "exit_code": 0})
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.no-silences"))
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, c.say("cli.silences-head"))
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, c.say("cli.silence-"+s.State), s.Ends.Local().Format("2006-01-02 15:04"),
			strings.Join(s.Matchers, " "), legible(s.By), legible(s.Comment))
	}
	return w.Flush()
}

func (c *cli) silenceAddCommand() *cobra.Command {
	cmd := c.command("silence-add", "")
	cmd.Use, cmd.Args = "add MATCHER…", cobra.MinimumNArgs(1)
	length := cmd.Flags().String("for", "1h", c.say("cli.flag-silence-for"))
	comment := cmd.Flags().String("comment", "", c.say("cli.flag-comment"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		took, err := quantity.ParseDuration(*length)
		if err != nil || took <= 0 {
			return c.misuse("for", "got", *length)
		}
		if *comment == "" {
			return c.misuse("comment")
		}
		if err := control.CheckMatchers(args); err != nil {
			return c.misuse("matcher", "detail", err.Error())
		}
		return c.with(cmd.Context(), func(app *control.App) error { return c.addSilence(cmd, app, args, took.Std(), *comment) })
	}
	return cmd
}

func (c *cli) addSilence(cmd *cobra.Command, app *control.App, matchers []string, length time.Duration, comment string) error {
	if c.dryRun {
		fmt.Fprintln(c.Out, c.say("cli.would-silence", "matchers", strings.Join(matchers, " "), "for", length))
		return nil
	}
	s, err := app.Silence(cmd.Context(), matchers, length, comment)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(map[string]any{"silence": s, "exit_code": 0})
		return nil
	}
	fmt.Fprintln(c.Out, c.say("cli.silenced", "id", s.ID, "matchers", strings.Join(s.Matchers, " "), "until", s.Ends.Local().Format("2006-01-02 15:04")))
	return nil
}

func (c *cli) silenceExpireCommand() *cobra.Command {
	cmd := c.command("silence-expire", "")
	cmd.Use, cmd.Args = "expire ID…", cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			for _, id := range args {
				if c.dryRun {
					fmt.Fprintln(c.Out, c.say("cli.would-expire", "id", id))
					continue
				}
				if err := app.Expire(cmd.Context(), id); err != nil {
					return err
				}
				if !c.json {
					fmt.Fprintln(c.Out, c.say("cli.expired", "id", id))
				}
			}
			if c.json {
				c.printJSON(map[string]any{"expired": args, "exit_code": 0})
			}
			return nil
		})
	}
	return cmd
}
