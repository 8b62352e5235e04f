package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/logs/record"
	"upkeep/internal/quantity"
)

// logFlags are those of a search; without any the logs are collected.
type logFlags struct {
	pattern, since, level string
	limit                 int
}

// searchLimit is how many records are shown when nobody says how many.
const searchLimit = 1000

func (c *cli) logsCommand() *cobra.Command {
	cmd := c.command("logs", "[TARGET…]")
	cmd.ValidArgsFunction = c.completeTargets
	var f logFlags
	cmd.Flags().StringVarP(&f.pattern, "grep", "g", "", c.say("cli.flag-grep"))
	cmd.Flags().StringVar(&f.since, "since", "", c.say("cli.flag-since"))
	cmd.Flags().StringVar(&f.level, "level", "", c.say("cli.flag-level"))
	cmd.Flags().IntVar(&f.limit, "limit", searchLimit, c.say("cli.flag-limit"))
	cmd.RunE = func(cmd *cobra.Command, targets []string) error {
		if f.pattern == "" && f.since == "" && f.level == "" {
			return c.submit(cmd.Context(), control.Request{Verb: "logs", Targets: targets})
		}
		q, err := c.logQuery(targets, f)
		if err != nil {
			return err
		}
		return c.with(cmd.Context(), func(app *control.App) error { return c.searchLogs(cmd.Context(), app, q, f.limit) })
	}
	return cmd
}

func (c *cli) logQuery(targets []string, f logFlags) (q control.LogQuery, err error) {
	q.Targets = targets
	if f.pattern != "" {
		if q.Pattern, err = regexp.Compile(f.pattern); err != nil {
			return q, c.misuse("grep", "got", f.pattern)
		}
	}
	if q.Since, err = c.moment(f.since); err != nil {
		return q, c.misuse("since", "got", f.since)
	}
	for level := record.None; f.level != "" && level.String() != f.level; level++ {
		if level > record.Critical {
			return q, c.misuse("level", "got", f.level)
		}
		q.Level = level + 1
	}
	return q, nil
}

// moment reads "2h" as so long ago, else a day or a time; "" is none.
func (c *cli) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := quantity.ParseDuration(text); err == nil {
		return c.Now().Add(-ago.Std()), nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, c.Now().Location()); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

// searchLogs prints records as they are found. In JSON each is an object on a line
// of its own: there may be more than anybody wants to hold.
func (c *cli) searchLogs(ctx context.Context, app *control.App, q control.LogQuery, limit int) error {
	shown, more := 0, false
	err := app.SearchLogs(ctx, q, func(h control.LogHit) bool {
		if more = shown == limit; more {
			return false
		}
		shown++
		c.printHit(h)
		return true
	})
	if more {
		fmt.Fprintln(c.Err, c.say("cli.logs-more", "n", limit))
	}
	return err
}

func (c *cli) printHit(h control.LogHit) {
	if c.json {
		view := map[string]any{"target": h.Target, "stream": h.Stream, "level": h.Level, "line": h.Line}
		if !h.Time.IsZero() {
			view["time"] = h.Time.Format(time.RFC3339Nano)
		}
		if h.More != "" {
			view["more"] = h.More
		}
		_ = json.NewEncoder(c.Out).Encode(view) // a reader that has gone away wants no more
		return
	}
	fmt.Fprintf(c.Out, "%s %s  %s\n", h.Target, legible(h.Stream), logLine(h.Line))
	for line := range strings.Lines(h.More) {
		fmt.Fprintln(c.Out, logLine(line))
	}
}

// logLine is a line of somebody's log, which may hold what a terminal would act upon.
func logLine(line string) string {
	return legible(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    "))
}
