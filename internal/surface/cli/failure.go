package cli

import (
	"fmt"
	"strings"

	"upkeep/internal/capability/report"
	"upkeep/internal/diag"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
)

// isUnknownCommand tells cobra's own usage errors, which have no type.
func isUnknownCommand(err error) bool {
	for _, start := range []string{"unknown command", "unknown flag", "unknown shorthand", "accepts ", "requires ", "invalid argument", "required flag"} {
		if strings.HasPrefix(err.Error(), start) {
			return true
		}
	}
	return false
}

// failConfig shows every problem of the declaration at once.
func (c *cli) failConfig(problems diag.List) int {
	if c.json {
		c.printJSON(map[string]any{"exit_code": engine.ExitUsage, "verdict": "unknown", "problems": c.problemViews(problems)})
		return engine.ExitUsage
	}
	for _, p := range problems {
		fmt.Fprintln(c.Err, p.Prefix()+c.words.Sprintf(p.Format, p.Args...))
	}
	fmt.Fprintln(c.Err, c.say("cli.config-problems", "n", len(problems)))
	return engine.ExitUsage
}

type problemView struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

func (c *cli) problemViews(problems diag.List) []problemView {
	views := []problemView{}
	for _, p := range problems {
		views = append(views, problemView{p.File, p.Line, p.Column, p.Path, c.words.Sprintf(p.Format, p.Args...)})
	}
	return views
}

// failRun shows an error that kept a command from being done.
func (c *cli) failRun(err error) int {
	problem := engine.Problem(err)
	if c.json {
		c.printJSON(runView{Verdict: "unknown", Exit: problem.Code, Targets: []report.TargetView{}, Error: c.problemView(problem, "")})
		return problem.Code
	}
	view := c.problemView(problem, "")
	fmt.Fprintf(c.Err, "upkeep: %s\n  %s\n", view.Title, problem.Detail)
	for _, line := range []string{view.Consequence, view.Fix} {
		if line != "" {
			fmt.Fprintln(c.Err, "  "+line)
		}
	}
	return problem.Code
}

func (c *cli) problemView(p *journal.Problem, run string) *report.ErrorView {
	return report.ErrorOf(c.words, p, "", run)
}
