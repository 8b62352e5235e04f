package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/capability/report"
	"upkeep/internal/control"
)

// reportAsk is what somebody wants of a report.
type reportAsk struct {
	day, week, month bool
	format, file     string
	mail             bool
}

func (c *cli) reportCommand() *cobra.Command {
	cmd := c.command("report", "")
	cmd.Args = cobra.NoArgs
	var ask reportAsk
	f := cmd.Flags()
	f.BoolVar(&ask.day, "day", false, c.say("cli.flag-day"))
	f.BoolVar(&ask.week, "week", false, c.say("cli.flag-week"))
	f.BoolVar(&ask.month, "month", false, c.say("cli.flag-month"))
	f.StringVar(&ask.format, "format", "", c.say("cli.flag-format"))
	f.StringVar(&ask.file, "out", "", c.say("cli.flag-out"))
	f.BoolVar(&ask.mail, "mail", false, c.say("cli.flag-mail"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := c.readReport(&ask); err != nil {
			return err
		}
		return c.with(cmd.Context(), func(app *control.App) error {
			if ask.mail {
				return c.mailReport(cmd.Context(), app, ask)
			}
			return c.writeReport(cmd.Context(), app, ask)
		})
	}
	return cmd
}

// readReport takes the format from the end of the file's name where none is given.
func (c *cli) readReport(ask *reportAsk) error {
	if ask.mail && (ask.file != "" || ask.format != "") {
		return c.misuse("report-mail")
	}
	end := strings.TrimPrefix(strings.ToLower(filepath.Ext(ask.file)), ".")
	if ask.format == "" && slices.Contains(report.Formats(), end) {
		ask.format = end
	}
	if ask.format = cmp.Or(ask.format, "text"); !slices.Contains(report.Formats(), ask.format) {
		return c.misuse("format", "got", ask.format, "formats", report.Formats())
	}
	if c.json && ask.file == "" {
		ask.format = "json"
	}
	switch {
	case ask.day && ask.week || ask.day && ask.month || ask.week && ask.month:
		return c.misuse("span")
	case report.Binary(ask.format) && ask.file == "":
		return c.misuse("report-out", "format", ask.format)
	case c.dryRun && ask.file != "":
		return c.misuse("no-dry-run", "what", "report --out")
	}
	return nil
}

func (ask reportAsk) span() string {
	switch {
	case ask.week:
		return "week"
	case ask.month:
		return "month"
	}
	return "day"
}

func (c *cli) writeReport(ctx context.Context, app *control.App, ask reportAsk) error {
	code, err := app.Report(ctx, c.Out, ask.file, ask.span(), ask.format, c.words)
	c.exit = code
	switch {
	case err != nil || ask.file == "":
		return err
	case c.json:
		c.printJSON(map[string]any{"output": ask.file, "exit_code": code})
	default:
		fmt.Fprintln(c.Out, c.say("cli.report-written", "file", ask.file))
	}
	return nil
}

// mailReport sends the report and tells what the mail server said to each receiver.
func (c *cli) mailReport(ctx context.Context, app *control.App, ask reportAsk) error {
	posted, code, err := app.MailReport(ctx, ask.span(), c.dryRun, c.words)
	if err != nil {
		return err
	}
	c.exit = code
	if c.json {
		c.printJSON(map[string]any{"letters": posted, "exit_code": code})
		return nil
	}
	for _, p := range posted {
		id := "cli.mail-accepted"
		switch {
		case c.dryRun:
			id = "cli.mail-would"
		case !p.Accepted:
			id = "cli.mail-not-accepted"
		}
		fmt.Fprintln(c.Out, c.say(id, "to", p.To, "subject", p.Subject, "answer", p.Answer))
	}
	return nil
}
