package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

func (c *cli) pointsCommand() *cobra.Command {
	cmd := c.command("points", "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error { return c.listPoints(cmd.Context(), app) })
	}
	cmd.AddCommand(c.pointsLsCommand(), c.pointsExportCommand())
	return cmd
}

func (c *cli) listPoints(ctx context.Context, app *control.App) error {
	points, err := app.Points(ctx)
	if err != nil {
		return err
	}
	rules, err := app.KeptBy(ctx)
	if err != nil {
		return err
	}
	if c.json {
		views := []*pointView{}
		for _, p := range points {
			view := pointOf(p)
			view.KeptBy = rules[p.ID]
			views = append(views, view)
		}
		c.printJSON(map[string]any{"points": views, "next": nil})
		return nil
	}
	if len(points) == 0 {
		fmt.Fprintln(c.Out, c.say("cli.no-points"))
		return nil
	}
	return c.pointTable(points, rules)
}

func (c *cli) pointTable(points []repository.Point, rules map[string][]string) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, c.say("cli.points-head"))
	for _, p := range points {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, c.words.Duration(c.Now().Sub(p.Taken)), c.words.Bytes(p.Bytes),
			c.words.Bytes(p.AddedBytes), c.shown(p, p.Verified), c.shown(p, p.Proven), c.kept(p, rules[p.ID]))
	}
	return w.Flush()
}

// shown says when something was shown of a point.
func (c *cli) shown(p repository.Point, at time.Time) string {
	switch {
	case !p.Complete:
		return c.say("cli.incomplete")
	case at.IsZero():
		return c.say("cli.not-yet")
	}
	return at.Format("2006-01-02 15:04")
}

func (c *cli) kept(p repository.Point, rules []string) string {
	if p.Reason == repository.ReasonBeforeRestore {
		return c.say("cli.kept-until", "until", p.Expires.Format(time.DateOnly))
	}
	return strings.Join(rules, " ")
}

func (c *cli) pointsLsCommand() *cobra.Command {
	cmd := c.command("ls", "POINT [TARGET[/PATH]]")
	cmd.Args = cobra.RangeArgs(1, 2)
	cmd.ValidArgsFunction = c.completePoints
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			if len(args) == 1 {
				return c.listTargets(cmd.Context(), app, args[0])
			}
			target, prefix, _ := strings.Cut(args[1], "/")
			return c.listParts(cmd.Context(), app, args[0], target, prefix)
		})
	}
	return cmd
}

func (c *cli) listTargets(ctx context.Context, app *control.App, id string) error {
	point, err := app.Point(ctx, id)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(pointOf(point))
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	for _, t := range point.Targets {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", t.Target, t.Kind, c.words.Bytes(t.Bytes), c.say("cli.parts", "n", t.Parts))
	}
	return w.Flush()
}

type partLine struct {
	Name   string            `json:"name"`
	Bytes  int64             `json:"bytes"`
	SHA256 string            `json:"sha256,omitempty"`
	Attrs  map[string]string `json:"attrs,omitempty"`
}

// listParts prints one part per line: a copy may hold a million. Names are quoted
// where a terminal would misread them.
func (c *cli) listParts(ctx context.Context, app *control.App, id, target, prefix string) error {
	if c.json {
		return c.listPartsJSON(ctx, app, id, target, prefix)
	}
	return app.List(ctx, id, target, prefix, func(p service.Part) error {
		_, err := fmt.Fprintf(c.Out, "%12s  %s\n", c.words.Bytes(max(p.Size, 0)), legible(p.Name))
		return err
	})
}

// listPartsJSON writes one object whose parts are never in memory together. An
// error leaves it unfinished, so that nobody takes a piece for the whole.
func (c *cli) listPartsJSON(ctx context.Context, app *control.App, id, target, prefix string) error {
	point, err := app.Point(ctx, id)
	if err != nil {
		return err
	}
	head, err := json.Marshal(map[string]string{"point": point.ID, "target": target})
	if err != nil {
		return err
	}
	begin := strings.TrimSuffix(string(head), "}") + `,"parts":[`
	err = app.List(ctx, point.ID, target, prefix, func(p service.Part) error {
		line, err := json.Marshal(partLine{p.Name, p.Size, p.SHA256, p.Attrs})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "%s\n%s", begin, line)
		begin = ","
		return err
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s\n],\"next\":null}\n", strings.TrimSuffix(begin, ","))
	return err
}

// legible quotes a name with anything in it that a terminal would act upon.
func legible(name string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) }
	if strings.ContainsFunc(name, odd) {
		return strconv.QuoteToGraphic(name)
	}
	return name
}

func (c *cli) pointsExportCommand() *cobra.Command {
	cmd := c.command("export", "POINT FILE")
	cmd.Args = cobra.ExactArgs(2)
	cmd.ValidArgsFunction = c.completePoints
	recipient := cmd.Flags().String("encrypt", "", c.say("cli.flag-encrypt"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.dryRun {
			return c.misuse("no-dry-run", "what", "points export")
		}
		return c.with(cmd.Context(), func(app *control.App) error {
			n, err := app.Export(cmd.Context(), args[0], args[1], *recipient)
			if err != nil {
				return err
			}
			if c.json {
				c.printJSON(map[string]any{"file": args[1], "bytes": n, "exit_code": 0})
				return nil
			}
			_, err = io.WriteString(c.Out, c.say("cli.exported", "file", args[1], "bytes", n)+"\n")
			return err
		})
	}
	return cmd
}
