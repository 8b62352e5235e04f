package suite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"upkeep/bench/measure"
	"upkeep/bench/tool"
)

// The works on a JSON database, and the column of the guide's own checks.
const (
	GuideChecks = "diagnosis of a JSON database, the guide's checks"
	AllChecks   = "the same, all that upkeep knows to judge"
	PythonJSON  = "Python json.load"
)

// MasterFile is the database in a store that lab/results makes.
const MasterFile = "pilot_bench_cumulative_results/master_database.json"

//go:embed check_document.py
var documentScript embed.FS // constant, as far as Go allows

// Document measures the diagnosis of one JSON database.
type Document struct {
	Store   string // exists, and is not written to
	Scratch string
	Rounds  int
}

// Run fills r. upkeep may be nil.
func (d Document) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(d.Scratch, "document")
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return fmt.Errorf("make room for the diagnosis: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	script, err := scripted(documentScript, "check_document.py", work)
	if err != nil {
		return err
	}
	halves := []func(context.Context) error{func(ctx context.Context) error {
		argv := []string{"python3", script, filepath.Join(d.Store, MasterFile)}
		cost, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: pythonEnv(work)})
		return errors.Join(r.cost(GuideChecks, PythonJSON, cost, err), r.cost(AllChecks, PythonJSON, cost, err))
	}}
	if u != nil {
		halves = append(halves, d.diagnosis(u, r, work, GuideChecks, guideChecks), d.diagnosis(u, r, work, AllChecks, "kind: pilotbench"))
	}
	for round := range d.Rounds {
		for _, half := range rotate(halves, round) {
			settle()
			r.Fail(half(ctx))
		}
	}
	return ctx.Err()
}

// guideChecks declares what the guide's check looks at, and nothing else: fields that must
// be there, and the models' totals.
const guideChecks = `kind: dataset, tables: {models: {document: "` + MasterFile + `", rows: "models/{model}", columns: {total_tests: integer}, levels: {summary: {total_tests: "sum(total_tests)"}}}}`

// diagnosis lets upkeep judge the store by a declaration.
func (d Document) diagnosis(u *tool.Upkeep, r *Result, work, name, declared string) func(context.Context) error {
	return func(ctx context.Context) error {
		u.Services = []string{fmt.Sprintf("results: {dir: %q, %s}", d.Store, declared)}
		if err := u.Init(ctx, filepath.Join(work, "upkeep"), ""); err != nil {
			return err
		}
		settle()
		cost, err := u.Diagnose(ctx, "results")
		return r.cost(name, u.Name(), cost, err)
	}
}
