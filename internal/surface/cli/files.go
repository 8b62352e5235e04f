package cli

import (
	"fmt"

	"upkeep/internal/control"
	"upkeep/internal/diag"
	"upkeep/internal/engine"
)

// checkFiles shows what is wrong with the files that the declaration names, once it is
// right itself.
func (c *cli) checkFiles(app *control.App) error {
	var problems, warnings diag.List
	corrected := []correctedView{}
	for _, f := range app.JudgeFiles() {
		problems, warnings = append(problems, f.Problems...), append(warnings, f.Warnings...)
		if f.Corrected != "" {
			corrected = append(corrected, correctedView{f.Path, control.Hidden(f.Corrected)})
		}
	}
	problems = append(problems, app.JudgeRules()...)
	if len(problems) > 0 {
		c.exit = engine.ExitUsage
	}
	n := len(app.Inventory.Targets())
	if c.json {
		c.printJSON(map[string]any{"exit_code": c.exit, "problems": c.problemViews(problems), "warnings": c.problemViews(warnings),
			"corrected": corrected, "targets": n})
		return nil
	}
	c.printProblems(problems, warnings)
	for _, f := range corrected {
		fmt.Fprintf(c.Err, "\n%s\n\n%s\n", c.say("cli.corrected", "path", f.File), f.Text)
	}
	if len(problems) > 0 {
		fmt.Fprintln(c.Err, c.say("cli.config-problems", "n", len(problems)))
		return nil
	}
	fmt.Fprintln(c.Out, c.say("cli.config-fine", "file", app.Config.File, "n", n))
	return nil
}

// correctedView is a file as it should read, without the passwords in it.
type correctedView struct {
	File string `json:"file"`
	Text string `json:"text"`
}

func (c *cli) printProblems(problems, warnings diag.List) {
	for _, p := range problems {
		fmt.Fprintln(c.Err, p.Prefix()+c.words.Sprintf(p.Format, p.Args...))
	}
	for _, p := range warnings {
		fmt.Fprintln(c.Err, c.say("cli.warning")+" "+p.Prefix()+c.words.Sprintf(p.Format, p.Args...))
	}
}
