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

// DiagnoseDocument is the work on a JSON database, PythonJSON the column of the guide's own
// checks.
const (
	DiagnoseDocument = "diagnosis of a JSON database"
	PythonJSON       = "Python json.load"
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
		return r.cost(DiagnoseDocument, PythonJSON, cost, err)
	}}
	if u != nil {
		u.Services = []string{fmt.Sprintf("results: {kind: pilotbench, dir: %q}", d.Store)}
		halves = append(halves, func(ctx context.Context) error {
			if err := u.Init(ctx, filepath.Join(work, "upkeep"), ""); err != nil {
				return err
			}
			cost, err := u.Diagnose(ctx, "results")
			return r.cost(DiagnoseDocument, u.Name(), cost, err)
		})
	}
	for round := range d.Rounds {
		for _, half := range rotate(halves, round) {
			settle()
			r.Fail(half(ctx))
		}
	}
	return ctx.Err()
}
