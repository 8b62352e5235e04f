// Package cli is the command line. A command parses its flags, asks control for
// one thing and prints what comes back; it decides nothing. Results go to the
// standard output, everything else to the standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/diag"
	"upkeep/internal/engine"
	"upkeep/internal/serve"
	"upkeep/internal/service"
)

// World is what a process gets from outside.
type World struct {
	Kinds    *service.Registry
	Getenv   func(string) string
	Now      func() time.Time
	In       *os.File
	Out, Err io.Writer
	Version  string
	Commit   string                            // of the source; empty where the build did not know it
	Page     func(*serve.Process) http.Handler // what upkeep serve shows; nil shows none
}

// cli is one call of the program.
type cli struct {
	World
	files    []string
	json     bool
	quiet    bool
	verbose  bool
	dryRun   bool
	yes      bool
	plan     string
	lang     string
	timeout  time.Duration
	failOn   string
	noColour bool

	catalogue *catalogue.Catalogue
	words     catalogue.Words
	exit      int
}

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, w World, args []string) int {
	c := &cli{World: w}
	texts, err := control.Texts(w.Kinds, Words())
	if err != nil {
		fmt.Fprintln(w.Err, "upkeep:", err)
		return engine.ExitFailed
	}
	c.catalogue, c.lang = texts, languageOf(args)
	c.speak("")
	root := c.root()
	c.speakHelp(root, args)
	c.json = slices.Contains(beforeDashes(args), "--json") // also for a mistake that stands before it
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		return c.fail(err)
	}
	return c.exit
}

// speak chooses the reader's language: --lang, the locale, then what the system
// declares.
func (c *cli) speak(declared string) {
	c.words = c.catalogue.Words(catalogue.Language(c.lang, declared, c.Getenv))
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "upkeep",
		Short:         c.say("cli.short"),
		Long:          c.say("cli.long"),
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       c.Version,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			c.speak("")
			return c.checkFlags()
		},
	}
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	c.flags(root)
	for _, command := range []func() *cobra.Command{
		c.initCommand,
		c.checkCommand,
		c.backupCommand,
		c.verifyCommand,
		c.drillCommand,
		c.pointsCommand,
		c.restoreCommand,
		c.maintainCommand,
		c.reconcileCommand,
		c.tuneCommand,
		c.logsCommand,
		c.dataCommand,
		c.runCommand,
		c.runsCommand,
		c.showCommand,
		c.diffCommand,
		c.undoCommand,
		c.planCommand,
		c.approveCommand,
		c.applyCommand,
		c.reportCommand,
		c.collectCommand,
		c.serveCommand,
		c.kindsCommand,
		c.configCommand,
		c.doctorCommand,
		c.tidyCommand,
		c.windowCommand,
		c.calendarCommand,
		c.importCommand,
		c.checklistCommand,
		c.auditLogCommand,
		c.versionCommand,
		c.exportCommand,
		c.guardCommand,
		c.silenceCommand,
		c.pingsCommand,
	} {
		root.AddCommand(command())
	}
	return root
}

func (c *cli) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringArrayVarP(&c.files, "file", "f", nil, c.say("cli.flag-file"))
	f.BoolVar(&c.json, "json", false, c.say("cli.flag-json"))
	f.BoolVar(&c.quiet, "quiet", false, c.say("cli.flag-quiet"))
	f.BoolVar(&c.verbose, "verbose", false, c.say("cli.flag-verbose"))
	f.BoolVar(&c.dryRun, "dry-run", false, c.say("cli.flag-dry-run"))
	f.BoolVar(&c.yes, "yes", false, c.say("cli.flag-yes"))
	f.StringVar(&c.lang, "lang", "", c.say("cli.flag-lang"))
	f.DurationVar(&c.timeout, "timeout", 0, c.say("cli.flag-timeout"))
	f.StringVar(&c.failOn, "fail-on", "critical", c.say("cli.flag-fail-on"))
	f.BoolVar(&c.noColour, "no-color", false, c.say("cli.flag-no-color"))
}

func (c *cli) checkFlags() error {
	switch {
	case c.lang != "" && c.lang != "zh" && c.lang != "en":
		return c.misuse("lang", "got", c.lang)
	case c.failOn != "warning" && c.failOn != "critical":
		return c.misuse("fail-on", "got", c.failOn)
	case c.timeout < 0:
		return c.misuse("timeout", "got", c.timeout.String())
	}
	return nil
}

// say returns a message of the program's own catalogue.
func (c *cli) say(id string, args ...any) string {
	values := map[string]any{}
	for i := 0; i+1 < len(args); i += 2 {
		values[args[i].(string)] = args[i+1]
	}
	return c.words.Message(id, values)
}

// usage is a mistake on the command line.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

// misuse is one of our own mistakes to tell, in the reader's words.
func (c *cli) misuse(id string, args ...any) error {
	return usage{errors.New(c.say("cli.usage-"+id, args...))}
}

// open loads the declaration and resolves it.
func (c *cli) open() (*control.App, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	return control.Open(cfg, c.options()), nil
}

// load reads the declaration and takes its language.
func (c *cli) load() (*config.Config, error) {
	// Completion parses flags twice, and a file named twice is still one system.
	cfg, problems := control.Load(slices.Compact(c.files), c.Kinds, c.Getenv)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	c.speak(cfg.Language)
	return cfg, nil
}

func (c *cli) options() control.Options {
	return control.Options{
		Kinds: c.Kinds, Getenv: c.Getenv, Now: c.Now, Log: c.log(), Watch: c.progress(),
		FailOn: service.Severity(c.failOn), Timeout: c.timeout, User: who(c.Getenv), NewPassword: c.newPassword,
		Words: c.words, Version: c.Version,
	}
}

// with runs a command that needs the declared system.
func (c *cli) with(ctx context.Context, do func(app *control.App) error) error {
	app, err := c.open()
	if err != nil {
		return err
	}
	return errors.Join(do(app), app.Close(context.WithoutCancel(ctx)))
}

func (c *cli) log() *slog.Logger {
	level := slog.LevelWarn
	if c.verbose {
		level = slog.LevelDebug
	}
	return slog.New(tint.NewTextHandler(c.Err, &tint.Options{Level: level, NoColor: !c.colour(c.Err)}))
}

// colour reports whether a stream is a terminal that wants colours.
func (c *cli) colour(stream io.Writer) bool {
	return !c.noColour && c.Getenv("NO_COLOR") == "" && c.Getenv("TERM") != "dumb" && terminal(stream)
}

func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal that results go to, or 0.
func (c *cli) columns() int {
	f, ok := c.Out.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0 // no terminal
	}
	return columns
}

// who names the person behind the process for plans and the audit log.
func who(getenv func(string) string) string {
	if name := getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// newPassword shows a password to a person. What else reads our errors keeps them: a log, a mail.
func (c *cli) newPassword(path, password string) {
	if !terminal(c.Err) {
		password = ""
	}
	fmt.Fprintln(c.Err, c.say("cli.new-password", "path", path, "password", password))
}

// fail shows an error and returns its exit code.
func (c *cli) fail(err error) int {
	var problems diag.List
	var bad usage
	switch {
	case errors.As(err, &problems):
		return c.failConfig(problems)
	case errors.As(err, &bad), isUnknownCommand(err):
		if c.json {
			problems.Addf("", "%s", err)
			return c.failConfig(problems)
		}
		fmt.Fprintf(c.Err, "upkeep: %s %v\n%s\n", c.say("cli.usage"), err, c.say("cli.see-help"))
		return engine.ExitUsage
	}
	return c.failRun(err)
}
