package suite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/tool"
)

// MergeRows is the work of the suite merge, MergeCapped the one of merge-50m.
const (
	MergeRows   = "merge of increments"
	MergeCapped = "merge of increments in 512 MiB"
)

// What increments are merged with instead, as columns of the tables.
const (
	Pandas = "pandas"
	Polars = "polars"
	Window = "DuckDB window query"
)

// mergeMemory is what upkeep may take for a merge of any size, in bytes.
const mergeMemory = 1e9

//go:embed merge_with_pandas.py merge_with_polars.py merge_with_duckdb.py
var mergeScripts embed.FS // constant, as far as Go allows

func mergers() map[string]string {
	return map[string]string{Pandas: "merge_with_pandas.py", Polars: "merge_with_polars.py", Window: "merge_with_duckdb.py"}
}

// Merge measures how increments get into a table: read, keep the last row of each key,
// write.
type Merge struct {
	Work   string // MergeRows or MergeCapped
	Suite  string // the name that notes go under
	Spec   corpus.Tables
	Store  string // exists, and is not written to
	Python string // has the peers
	Tables string // the program bench/cmd/tables
	// Scratch is on the file system of Store, whose files get further names there.
	Scratch string
	Rounds  int
	Place   Place // where all of them run
	// Merged is what must come out.
	Merged string
}

// Place runs a program somewhere and says what it cost: measure.Run, say.
type Place func(context.Context, measure.Cmd) (measure.Cost, []byte, error)

// Run fills r. upkeep may be nil.
func (m Merge) Run(ctx context.Context, u *tool.Upkeep, r *Result) error {
	names := []string{Window, Polars, Pandas}
	if u != nil {
		names = append([]string{u.Name()}, names...)
	}
	for round := range m.Rounds {
		for _, name := range rotate(names, round) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.told(m.Suite, name, m.Place != nil, m.round(ctx, name, u, r))
		}
	}
	return ctx.Err()
}

// told keeps what went wrong: a peer for which there is too little memory has shown what
// is asked.
func (r *Result) told(suite, name string, capped bool, err error) {
	_, peer := mergers()[name]
	if sign := outOfMemory(err); sign != "" && capped && peer {
		r.Note(suite, name+" ended without a result: "+sign)
		return
	}
	r.Fail(err)
}

// outOfMemory is how an error says that memory was lacking; "" where it says something else.
func outOfMemory(err error) string {
	if err == nil {
		return ""
	}
	for _, sign := range []string{"signal: killed", "MemoryError", "Out of Memory Error", "memory allocation of", "Cannot allocate memory", "malloc of size"} {
		if strings.Contains(err.Error(), sign) {
			return sign
		}
	}
	return ""
}

// round lets one of them merge a store of its own, and looks at what came out.
func (m Merge) round(ctx context.Context, name string, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(m.Scratch, "merge")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	store := filepath.Join(work, "store")
	if err := linked(m.Store, store); err != nil {
		return fmt.Errorf("make a store for %s: %w", name, err)
	}
	settle()
	out, cost, err := m.merge(ctx, name, u, work, store)
	if err := r.cost(m.Work, name, cost, err); err != nil {
		return err
	}
	_, digest, err := measure.Run(ctx, measure.Cmd{Argv: []string{m.Tables, out}, Env: os.Environ()})
	if err == nil && string(digest) != m.Merged {
		err = fmt.Errorf("%s made %s, not %s", name, digest, m.Merged)
	}
	if info, err := os.Stat(out); err == nil {
		r.size(m.Work, name, info.Size())
	}
	return err
}

// merge returns where the result lies.
func (m Merge) merge(ctx context.Context, name string, u *tool.Upkeep, work, store string) (out string, cost measure.Cost, err error) {
	place := m.Place
	if place == nil {
		place = measure.Run
	}
	main, increments := filepath.Join(store, corpus.MainFile), filepath.Join(store, corpus.IncrementFiles, "*.parquet")
	script, peer := mergers()[name]
	if !peer {
		u.Services, u.Measure = []string{tableDeclared(store)}, place
		defer func() { u.Measure = measure.Run }()
		if err := u.Init(ctx, filepath.Join(work, "upkeep"), ""); err != nil {
			return "", cost, err
		}
		cost, err = u.Merge(ctx, "results")
		return main, cost, err
	}
	file, err := scripted(mergeScripts, script, work)
	if err != nil {
		return "", cost, err
	}
	out = filepath.Join(work, "merged.parquet")
	argv := []string{m.Python, file, main, increments, out, strings.Join(corpus.TableKey(), ",")}
	cost, _, err = place(ctx, measure.Cmd{Argv: argv, Env: pythonEnv(work), Dir: work})
	return out, cost, err
}

// tableDeclared is the declaration of a store.
func tableDeclared(store string) string {
	var columns []string
	for _, c := range corpus.TableColumns() {
		columns = append(columns, c.Name+": "+c.Type)
	}
	return fmt.Sprintf("results: {kind: dataset, dir: %q, tables: {results: {files: [%s], key: [%s], columns: {%s}, increments: {files: [%q]}}}}",
		store, corpus.MainFile, strings.Join(corpus.TableKey(), ", "), strings.Join(columns, ", "), corpus.IncrementFiles+"/*.parquet")
}

// scripted writes a script where Python can read it.
func scripted(from fs.FS, name, dir string) (string, error) {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, text, 0o644)
}

func pythonEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LC_ALL=C.UTF-8"}
}

// linked gives the files of a tree further names: nobody here writes into a file.
func linked(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		return os.Link(path, filepath.Join(to, name))
	})
}
