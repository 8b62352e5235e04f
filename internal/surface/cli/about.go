package cli

import (
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

func (c *cli) kindsCommand() *cobra.Command {
	cmd := c.command("kinds", "[KIND]")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.ValidArgsFunction = c.completeKinds
	example := cmd.Flags().Bool("example", false, c.say("cli.flag-example"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.kindTable()
		}
		kind, ok := c.Kinds.Lookup(args[0])
		if !ok {
			return c.misuse("kind", "got", args[0])
		}
		if *example {
			_, err := c.Out.Write(kind.Example())
			return err
		}
		return c.kindPage(kind)
	}
	return cmd
}

type kindView struct {
	Kind string   `json:"kind"`
	Can  []string `json:"capabilities"`
}

func (c *cli) kindViews() []kindView {
	views := []kindView{}
	for _, k := range c.Kinds.Kinds() {
		v := kindView{Kind: k.Name(), Can: []string{}}
		for _, capability := range service.Capabilities() {
			if k.Can(capability) {
				v.Can = append(v.Can, capability.Name)
			}
		}
		views = append(views, v)
	}
	return views
}

// kindTable is the matrix of kinds and capabilities, computed from their types.
func (c *cli) kindTable() error {
	if c.json {
		c.printJSON(map[string]any{"kinds": c.kindViews()})
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "kind")
	for _, capability := range service.Capabilities() {
		fmt.Fprint(w, "\t"+capability.Name)
	}
	fmt.Fprintln(w)
	for _, k := range c.Kinds.Kinds() {
		fmt.Fprint(w, k.Name())
		for _, capability := range service.Capabilities() {
			mark := "–"
			if k.Can(capability) {
				mark = "●"
			}
			fmt.Fprint(w, "\t"+mark)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func (c *cli) kindPage(kind service.Kind) error {
	if c.json {
		for _, v := range c.kindViews() {
			if v.Kind == kind.Name() {
				c.printJSON(v)
			}
		}
		return nil
	}
	fmt.Fprintf(c.Out, "%s\n\n%s\n", kind.Name(), kind.Example())
	for _, id := range c.catalogue.IDs() {
		if title, _ := c.words.Raw(id); hasKind(id, kind.Name()) {
			fmt.Fprintf(c.Out, "  %s\n      %s\n", id, title)
		}
	}
	return nil
}

func hasKind(id, kind string) bool {
	return strings.HasPrefix(id, kind+".")
}

func (c *cli) configCommand() *cobra.Command {
	cmd := c.group("config")
	check := c.command("config-check", "")
	check.Use, check.Args = "check", cobra.NoArgs
	check.RunE = func(*cobra.Command, []string) error {
		app, err := c.open()
		if err != nil {
			return err
		}
		return c.checkFiles(app)
	}
	schema := c.command("config-schema", "")
	schema.Use, schema.Args = "schema", cobra.NoArgs
	schema.RunE = func(*cobra.Command, []string) error {
		text, err := control.Schema(c.Kinds)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "%s\n", text)
		return err
	}
	cmd.AddCommand(check, schema)
	return cmd
}

func (c *cli) doctorCommand() *cobra.Command {
	cmd := c.command("doctor", "")
	cmd.Args = cobra.NoArgs
	kept := cmd.Flags().Bool("password-kept", false, c.say("cli.flag-password-kept"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			if *kept && c.dryRun {
				return c.misuse("no-dry-run", "what", "doctor --password-kept")
			}
			if *kept {
				if err := app.ConfirmPassword(cmd.Context()); err != nil {
					return err
				}
			}
			d, err := app.Doctor(cmd.Context())
			if err != nil {
				return err
			}
			return c.showDoctor(d)
		})
	}
	return cmd
}

func (c *cli) showDoctor(d control.Diagnosis) error {
	if c.json {
		c.printJSON(d)
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s\n", c.say("cli.doctor-config"), d.Config)
	fmt.Fprintf(w, "%s\t%s\n", c.say("cli.doctor-state"), d.State)
	fmt.Fprintf(w, "%s\t%s\n", c.say("cli.doctor-repository"), d.Repository)
	if d.PasswordFile != "" {
		fmt.Fprintf(w, "%s\t%s\n", c.say("cli.doctor-password"), d.PasswordFile)
	}
	fmt.Fprintf(w, "%s\t%s (%s)\n", c.say("cli.doctor-scratch"), d.Scratch, c.words.Bytes(d.ScratchFree))
	fmt.Fprintf(w, "upkeep serve\t%s\n", c.serving(d.Serve))
	for _, n := range d.Needs {
		found := n.Found
		switch {
		case found == "":
			found = c.say("cli.doctor-missing", "use", n.Use, "install", n.Install)
		case n.Image:
			found = c.say("cli.doctor-image", "found", found, "container", n.Container)
		case n.Container != "":
			found = c.say("cli.doctor-container", "found", found, "container", n.Container)
		}
		fmt.Fprintf(w, "%s: %s\t%s\n", n.Target, n.Name, found)
	}
	return w.Flush()
}

// serving says whether upkeep serve lives.
func (c *cli) serving(s *control.ServeView) string {
	switch {
	case s == nil:
		return c.say("cli.doctor-serve-none")
	case s.Alive:
		return c.say("cli.doctor-serve-alive", "pid", s.PID, "since", s.Started, "last", s.Last)
	}
	return c.say("cli.doctor-serve-silent", "pid", s.PID, "last", s.Last)
}

func (c *cli) versionCommand() *cobra.Command {
	cmd := c.command("version", "")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(*cobra.Command, []string) error {
		schema, err := journal.Schema()
		if err != nil {
			return err
		}
		v := versionView{c.Version, c.Commit, runtime.Version(), schema}
		if c.json {
			c.printJSON(v)
			return nil
		}
		fmt.Fprintln(c.Out, "upkeep", v.Version)
		fmt.Fprintln(c.Out, c.say("cli.version-made-of", "commit", v.Commit, "go", v.Go, "schema", v.Schema))
		return nil
	}
	return cmd
}

type versionView struct {
	Version string `json:"version"`
	Commit  string `json:"commit"` // empty where the build did not know it
	Go      string `json:"go"`
	Schema  int    `json:"schema"` // of the journals that it writes; older ones are brought up to it
}

func (c *cli) initCommand() *cobra.Command {
	cmd := c.command("init", "[DIR]")
	cmd.Args = cobra.MaximumNArgs(1)
	from := cmd.Flags().String("from-repository", "", c.say("cli.flag-from-repository"))
	password := cmd.Flags().String("password", "", c.say("cli.flag-password"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir := "."
		if len(args) == 1 {
			dir = args[0]
		}
		made, err := control.Init(cmd.Context(), control.InitRequest{Dir: dir, FromRepository: *from, Password: *password,
			DryRun: c.dryRun, Words: c.words}, c.options())
		if err != nil {
			return err
		}
		return c.showInit(made)
	}
	return cmd
}

func (c *cli) showInit(made control.Made) error {
	if c.json {
		c.printJSON(made)
		return nil
	}
	notes := c.Out
	if c.dryRun {
		if _, err := c.Out.Write(made.Text); err != nil {
			return err
		}
		notes = c.Err // the standard output is the file, to be piped
	} else {
		fmt.Fprintln(c.Out, c.say("cli.init-wrote", "file", made.File, "n", made.Targets))
	}
	for _, note := range made.Notes {
		fmt.Fprintln(notes, "  "+c.words.Message(note.ID, note.Args))
	}
	if !c.dryRun {
		fmt.Fprintln(c.Out, c.say("cli.init-next"))
	}
	return nil
}

func (c *cli) collectCommand() *cobra.Command {
	cmd := c.targetVerb("collect", "[TARGET…]")
	cmd.RunE = func(cmd *cobra.Command, targets []string) error {
		return c.with(cmd.Context(), func(app *control.App) error {
			code, err := app.Collect(cmd.Context(), targets, c.Out, c.Err)
			c.exit = code
			return err
		})
	}
	return cmd
}
