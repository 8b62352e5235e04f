package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/engine"
)

// largestCrontab bounds what is read, in bytes: what is larger is some other file.
const largestCrontab = 1 << 20

func (c *cli) importCommand() *cobra.Command {
	group := c.group("import")
	cmd := c.command("import-crontab", "")
	cmd.Use, cmd.Args = "crontab FILE", cobra.ExactArgs(1)
	system := cmd.Flags().Bool("system", false, c.say("cli.flag-system"))
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		text, err := c.read(args[0])
		if err != nil {
			return err
		}
		return c.importCrontab(args[0], text, *system)
	}
	group.AddCommand(cmd)
	return group
}

// read reads a small file, or what comes in where its name is "-".
func (c *cli) read(name string) (string, error) {
	file := c.In
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return "", usage{err}
		}
		defer opened.Close()
		file = opened
	}
	text, err := io.ReadAll(io.LimitReader(file, largestCrontab+1))
	if err == nil && len(text) > largestCrontab {
		return "", c.misuse("import-size", "file", name)
	}
	return string(text), err
}

// importCrontab prints the jobs, and apart from them what is to be known of the lines. A
// line that no job stands for makes the work a partial one.
func (c *cli) importCrontab(name, text string, system bool) error {
	read := control.ReadCrontab(text, c.Now(), system)
	if read.Unmapped > 0 {
		c.exit = engine.ExitPartly
	}
	if c.json {
		c.printJSON(map[string]any{"exit_code": c.exit, "jobs": orEmpty(read.Jobs), "notes": orEmpty(read.Said(c.words)),
			"unmapped": read.Unmapped, "yaml": read.YAML(c.words)})
		return nil
	}
	for _, n := range read.Said(c.words) {
		mark := ""
		if n.Unmapped {
			mark = c.say("cli.import-unmapped") + " "
		}
		fmt.Fprintf(c.Err, "%s:%d: %s%s\n", name, n.Line, mark, n.Text)
	}
	fmt.Fprint(c.Out, read.YAML(c.words))
	if read.Unmapped > 0 {
		fmt.Fprintln(c.Err, c.say("cli.import-partly", "n", read.Unmapped))
	}
	return nil
}
