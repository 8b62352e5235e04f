package cli

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"

	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/diag"
	"upkeep/internal/serve"
)

func (c *cli) serveCommand() *cobra.Command {
	cmd := c.command("serve", "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.dryRun {
			return c.misuse("no-dry-run", "what", "serve")
		}
		cfg, err := c.load()
		if err != nil {
			return err
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGHUP)
		defer signal.Stop(again)
		log := c.lines()
		return serve.Run(cmd.Context(), serve.Options{
			Config: cfg,
			Load: func() (*config.Config, diag.List) {
				return control.Load(slices.Compact(c.files), c.Kinds, c.Getenv)
			},
			Open: func(cfg *config.Config) *control.App {
				opt := c.options()
				opt.Watch, opt.Log, opt.Patient = nil, log, true
				return control.Open(cfg, opt)
			},
			Page:   c.Page,
			Reload: again,
			Ready: func(address string) {
				fmt.Fprintln(c.Err, c.say("cli.serving", "system", cfg.System, "address", address))
			},
			Log: log,
			Now: c.Now,
		})
	}
	return cmd
}

// lines is the log of a process that goes on: each line says when, and what was done is
// told too.
func (c *cli) lines() *slog.Logger {
	level := slog.LevelInfo
	if c.verbose {
		level = slog.LevelDebug
	}
	return slog.New(tint.NewTextHandler(c.Err, &tint.Options{Level: level, NoColor: !c.colour(c.Err), TimeFormat: "2006-01-02T15:04:05Z07:00"}))
}
