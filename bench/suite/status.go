package suite

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// RefreshStatus is the work of the suite status, CollectStatus the same by the whole program.
const (
	RefreshStatus = "refresh of the numbers of a store, within a process"
	CollectStatus = "upkeep collect, with its start"
)

// refreshCPU is what upkeep may take for it, in seconds.
const refreshCPU = 0.005

//go:embed status_with_pandas.py
var statusScript embed.FS // constant, as far as Go allows

// Status measures what the numbers of a dashboard cost at every refresh.
type Status struct {
	Spec    corpus.Tables
	Store   string // exists, and is not written to
	Python  string // has pandas
	Refresh string // the program bench/cmd/refresh
	Scratch string
	Rounds  int
}

// Run fills r. upkeep may be nil.
func (s Status) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(s.Scratch, "status")
	if err := errors.Join(os.RemoveAll(work), os.MkdirAll(work, 0o755)); err != nil {
		return fmt.Errorf("make room for the status: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	script, err := scripted(statusScript, "status_with_pandas.py", work)
	if err != nil {
		return err
	}
	halves := []func(context.Context) error{func(ctx context.Context) error {
		argv := []string{s.Python, script, filepath.Join(s.Store, corpus.MainFile), filepath.Join(s.Store, corpus.IncrementFiles)}
		return s.refresh(ctx, r, Pandas, measure.Cmd{Argv: argv, Env: pythonEnv(work)})
	}}
	if u != nil {
		u.Services = []string{tableDeclared(s.Store)}
		if err := u.Init(ctx, filepath.Join(work, "upkeep"), ""); err != nil {
			return err
		}
		halves = append(halves, func(ctx context.Context) error { return s.subject(ctx, u, r) })
	}
	for round := range s.Rounds {
		for _, half := range rotate(halves, round) {
			r.Fail(half(ctx))
		}
	}
	return ctx.Err()
}

func (s Status) subject(ctx context.Context, u *tool.Upkeep, r *Result) error {
	if err := s.refresh(ctx, r, table.Subject, measure.Cmd{Argv: []string{s.Refresh, s.Store}, Env: os.Environ()}); err != nil {
		return err
	}
	cost, err := u.VersionCost(ctx)
	if err := r.cost(Version, u.Name(), cost, err); err != nil {
		return err
	}
	cost, samples, err := u.Collect(ctx, "results")
	if err == nil && !bytes.Contains(samples, []byte("dataset_rows{")) {
		err = fmt.Errorf("it does not tell the rows:\n%s", samples)
	}
	return r.cost(CollectStatus, u.Name(), cost, err)
}

// refresh runs a program that says what one refresh costs without its own start.
func (s Status) refresh(ctx context.Context, r *Result, name string, cmd measure.Cmd) error {
	cost, out, err := measure.Run(ctx, cmd)
	if err != nil {
		return r.cost(RefreshStatus, name, cost, err)
	}
	var said struct {
		Rows      int
		CPU, Wall float64
	}
	err = json.Unmarshal(out, &said)
	if err == nil && said.Rows != s.Spec.Rows {
		err = fmt.Errorf("it tells %d rows instead of %d", said.Rows, s.Spec.Rows)
	}
	cost.CPU, cost.Wall = seconds(said.CPU), seconds(said.Wall)
	return r.cost(RefreshStatus, name, cost, err)
}
