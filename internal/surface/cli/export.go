package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

func (c *cli) dataExportCommand() *cobra.Command {
	cmd := c.command("export", "TARGET TABLE FILE")
	cmd.Short, cmd.Long, cmd.Example = c.say("cli.data-export-short"), c.say("cli.data-export-long"), c.say("cli.data-export-example")
	cmd.Args = cobra.RangeArgs(2, 3)
	cmd.ValidArgsFunction = c.completeTargets
	var ask control.DataExport
	f := cmd.Flags()
	f.StringVar(&ask.Statement, "query", "", c.say("cli.flag-query"))
	f.BoolVar(&ask.Force, "force", false, c.say("cli.flag-force"))
	f.BoolVar(&ask.BOM, "bom", false, c.say("cli.flag-bom"))
	f.BoolVar(&ask.Raw, "raw", false, c.say("cli.flag-raw"))
	f.BoolVar(&ask.Cut, "cut", false, c.say("cli.flag-cut"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := c.readExport(&ask, args); err != nil {
			return err
		}
		return c.with(cmd.Context(), func(app *control.App) error { return c.exportData(cmd.Context(), app, ask) })
	}
	return cmd
}

// readExport takes the table from the arguments where no statement stands in its place.
func (c *cli) readExport(ask *control.DataExport, args []string) error {
	ask.Target, ask.File = args[0], args[len(args)-1]
	if len(args) == 3 {
		ask.Table = args[1]
	}
	end := strings.ToLower(filepath.Ext(ask.File))
	switch {
	case c.dryRun:
		return c.misuse("no-dry-run", "what", "data export")
	case (ask.Table == "") == (ask.Statement == ""):
		return c.misuse("export")
	case (ask.BOM || ask.Raw) && end != ".csv":
		return c.misuse("only-for", "flag", "--bom, --raw", "end", ".csv")
	case ask.Cut && end != ".xlsx":
		return c.misuse("only-for", "flag", "--cut", "end", ".xlsx")
	}
	return nil
}

type exportView struct {
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	File   string `json:"file"`
	Sheets int    `json:"sheets,omitempty"` // of XLSX
	Cut    int64  `json:"cut,omitempty"`    // cells
	Exit   int    `json:"exit_code"`
}

func (c *cli) exportData(ctx context.Context, app *control.App, ask control.DataExport) error {
	done, err := app.ExportData(ctx, ask)
	if err != nil {
		return err
	}
	if c.json {
		c.printJSON(exportView{done.Rows, done.Bytes, ask.File, done.Sheets, done.Cut, 0})
		return nil
	}
	fmt.Fprintln(c.Out, c.say("cli.data-exported", "file", ask.File, "rows", done.Rows, "bytes", done.Bytes, "sheets", done.Sheets, "cut", done.Cut))
	return nil
}
