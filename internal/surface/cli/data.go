package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/service"
)

func (c *cli) dataCommand() *cobra.Command {
	cmd := c.group("data")
	cmd.AddCommand(c.targetVerb("diagnose", "[TARGET…]"), c.careCommand("repair"), c.careCommand("merge"), c.careCommand("dedup"), c.careCommand("convert"), c.recoverCommand(), c.queryCommand(), c.dataExportCommand())
	return cmd
}

func (c *cli) queryCommand() *cobra.Command {
	cmd := c.command("query", "TARGET STATEMENT")
	cmd.Args = cobra.ExactArgs(2)
	cmd.ValidArgsFunction = c.completeTargets
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.dryRun {
			return c.misuse("no-dry-run", "what", "data query")
		}
		return c.with(cmd.Context(), func(app *control.App) error { return c.query(cmd.Context(), app, args[0], args[1]) })
	}
	return cmd
}

// query prints rows as they come: there may be more than anybody wants to hold.
func (c *cli) query(ctx context.Context, app *control.App, target, statement string) error {
	show := c.tabled()
	if c.json {
		show = c.objects()
	}
	rows := 0
	for row, err := range app.Query(ctx, target, statement) {
		if err != nil {
			show(nil) // what there is, before the error
			return err
		}
		rows++
		show(&row)
	}
	show(nil)
	if !c.json {
		fmt.Fprintln(c.Err, c.say("cli.query-rows", "n", rows))
	}
	return nil
}

// linedUp is how many rows are aligned with each other.
const linedUp = 1000

// tabled prints rows in columns; nil ends them.
func (c *cli) tabled() func(*service.Row) {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	rows := 0
	return func(row *service.Row) {
		if row == nil || rows%linedUp == linedUp-1 {
			_ = w.Flush() // a reader that has gone away wants no more
		}
		if row == nil {
			return
		}
		if rows == 0 {
			fmt.Fprintln(w, strings.Join(row.Columns, "\t"))
		}
		rows++
		cells := make([]string, len(row.Values))
		for i, v := range row.Values {
			cells[i] = cell(v)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
}

// cell is a value that cannot break its table or act upon a terminal.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "–"
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return legible(strings.NewReplacer("\t", " ", "\r", " ", "\n", " ").Replace(fmt.Sprint(v)))
}

// objects prints every row as an object on a line of its own.
func (c *cli) objects() func(*service.Row) {
	lines := json.NewEncoder(c.Out)
	lines.SetEscapeHTML(false)
	return func(row *service.Row) {
		if row == nil {
			return
		}
		object := make(map[string]any, len(row.Values))
		for i, name := range row.Columns {
			object[name] = sayable(row.Values[i])
		}
		_ = lines.Encode(object) // a reader that has gone away wants no more
	}
}

// sayable is a value as JSON can say it: it has no word for what is no number.
func sayable(v any) any {
	if x, is := v.(float64); is && (math.IsNaN(x) || math.IsInf(x, 0)) {
		return fmt.Sprint(x)
	}
	return v
}
