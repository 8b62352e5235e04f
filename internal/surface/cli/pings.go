package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
	"upkeep/internal/journal"
)

func (c *cli) pingsCommand() *cobra.Command {
	cmd := c.command("pings", "[NAME]")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = c.completePings
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			if len(args) == 1 {
				return c.pingLog(cmd.Context(), app, args[0])
			}
			return c.listPings(cmd.Context(), app)
		})
	}
	return cmd
}

func (c *cli) listPings(ctx context.Context, app *control.App) error {
	pings, err := app.Pings(ctx)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(map[string]any{"pings": pings, "exit_code": 0})
		return nil
	}
	if len(pings) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.pings-none"))
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for _, p := range pings {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Name, c.say("cli.ping-"+string(p.State)), c.atOrNone("cli.ping-last", p.Last), c.atOrNone("cli.ping-due", p.Due), c.ran(p.Took))
	}
	return w.Flush()
}

// atOrNone says a time, or that there was none.
func (c *cli) atOrNone(id string, at *time.Time) string {
	if at == nil {
		return c.say(id + "-none")
	}
	return c.say(id, "at", *at)
}

func (c *cli) ran(took *float64) string {
	if took == nil {
		return ""
	}
	return c.say("cli.ping-took", "took", *took)
}

// pingView is one call, as JSON.
type pingView struct {
	At     string `json:"at"`
	Signal string `json:"signal"` // "success", "start", "fail", "log" or an exit code
	Bytes  int64  `json:"bytes"`
	Log    string `json:"log"`
}

// pingLog shows the calls of one ping, the newest last, with its log.
func (c *cli) pingLog(ctx context.Context, app *control.App, name string) error {
	calls, err := app.PingLog(ctx, name)
	if err != nil {
		return err
	}
	if c.json {
		views := []pingView{}
		for _, p := range calls {
			views = append(views, pingView{report.Stamp(p.At.In(c.Now().Location())), signalOf(p), p.Whole, string(p.Body)})
		}
		c.printJSON(map[string]any{"name": name, "calls": views, "exit_code": 0})
		return nil
	}
	if len(calls) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.ping-never", "name", name))
		return nil
	}
	for _, p := range calls {
		fmt.Fprintln(c.Out, c.say("cli.ping-call", "at", p.At.In(c.Now().Location()), "signal", signalOf(p), "bytes", p.Whole))
	}
	for line := range strings.Lines(string(calls[len(calls)-1].Body)) {
		fmt.Fprintln(c.Out, c.say("cli.ping-log", "line", strings.TrimRight(line, "\r\n"))) // what others write drives no terminal
	}
	return nil
}

func signalOf(p journal.Ping) string {
	if p.Signal == "" {
		return "success"
	}
	return p.Signal
}
