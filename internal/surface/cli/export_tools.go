package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

// exporter makes files for one other tool of what is declared.
type exporter struct {
	tool string
	make func(app *control.App) ([]control.File, error)
}

// exporters is the list of upkeep export.
func exporters() []exporter {
	return []exporter{
		{"systemd", (*control.App).SystemdFiles},
		{"crontab", (*control.App).CrontabFiles},
		{"prometheus", (*control.App).PrometheusFiles},
		{"alertmanager", (*control.App).AlertmanagerFiles},
		{"grafana", (*control.App).GrafanaFiles},
		{"logrotate", (*control.App).LogrotateFiles},
	}
}

func (c *cli) exportCommand() *cobra.Command {
	group := c.group("tools")
	group.Use = "export"
	out := group.PersistentFlags().String("out", "", c.say("cli.flag-export-out"))
	for _, e := range exporters() {
		group.AddCommand(c.exportTool(e, out))
	}
	return group
}

func (c *cli) exportTool(e exporter, out *string) *cobra.Command {
	cmd := c.command("export-"+e.tool, "")
	cmd.Use, cmd.Args = e.tool, cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			files, err := e.make(app)
			if err != nil {
				return err
			}
			return c.putFiles(files, *out)
		})
	}
	return cmd
}

// putFiles prints files or writes them below a directory, which a dry run only names.
func (c *cli) putFiles(files []control.File, out string) error {
	switch {
	case c.json:
		c.printJSON(map[string]any{"exit_code": 0, "files": orEmpty(files)})
	case out == "":
		for _, f := range files {
			fmt.Fprintf(c.Out, "# %s\n%s", f.Path, f.Text)
		}
	}
	var errs []error
	for _, f := range files {
		if path := filepath.Join(out, f.Path); out != "" {
			errs = append(errs, c.putFile(path, f.Text))
		}
	}
	return errors.Join(errs...)
}

func (c *cli) putFile(path, text string) error {
	if !c.json {
		fmt.Fprintln(c.Out, path)
	}
	if c.dryRun {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
