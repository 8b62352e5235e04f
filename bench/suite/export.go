package suite

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/measure"
	"upkeep/bench/table"
	"upkeep/bench/tool"
)

// ExportSheet is the work on tables, Workbooks the column of what writes workbooks instead.
const (
	ExportSheet = "a table of 20 columns as a workbook (XLSX)"
	Workbooks   = "pandas + openpyxl"
)

// exportMemory is what upkeep may take of a table of any size, in bytes.
const exportMemory = 300e6

//go:embed export_with_pandas.py
var pandasScript []byte // constant, as far as Go allows

// Export measures how a table becomes a workbook. Both read the same CSV file.
type Export struct {
	Rows    int
	Python  string // has pandas and openpyxl
	Scratch string
	Rounds  int
}

// Run fills r. upkeep may be nil.
func (e Export) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	dir := filepath.Join(e.Scratch, "export")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(filepath.Join(dir, "store"), 0o755)); err != nil {
		return fmt.Errorf("make room for the table: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	script := filepath.Join(dir, "export_with_pandas.py")
	if err := errors.Join(e.source(dir), os.WriteFile(script, pandasScript, 0o644)); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for round := range e.Rounds {
		halves := []string{Workbooks}
		if u != nil {
			halves = append(halves, u.Name())
		}
		for _, half := range rotate(halves, round) {
			if half == table.Subject {
				r.Fail(e.subject(ctx, dir, u, r))
			} else {
				r.Fail(e.stock(ctx, dir, script, r))
			}
		}
	}
	r.Note("export", fmt.Sprintf("%d rows of 10 whole numbers, 5 numbers and 5 texts, from one CSV file; upkeep reads its workbook back, pandas does not", e.Rows))
	return ctx.Err()
}

func csvOf(dir string) string { return filepath.Join(dir, "store", "table.csv") }

func (e Export) columns() (names, types []string) {
	for i := range 20 {
		names = append(names, fmt.Sprintf("c%d", i))
		types = append(types, fmt.Sprintf("c%d: %s", i, []string{"integer", "number", "text"}[kindOf(i)]))
	}
	return names, types
}

// kindOf a column: whole numbers are half of them.
func kindOf(i int) int { return []int{0, 2, 0, 1}[i%4] }

func (e Export) source(dir string) error {
	f, err := os.Create(csvOf(dir))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	names, _ := e.columns()
	fmt.Fprintln(out, strings.Join(names, ","))
	cells := make([]string, len(names))
	for row := range e.Rows {
		for i := range cells {
			cells[i] = cellOf(row, i)
		}
		fmt.Fprintln(out, strings.Join(cells, ","))
	}
	return errors.Join(out.Flush(), f.Close())
}

// cellOf is the same in every run.
func cellOf(row, column int) string {
	mixed := (row*2654435761 + column*40503) % 1_000_003
	switch kindOf(column) {
	case 0:
		return fmt.Sprint(mixed)
	case 1:
		return fmt.Sprintf("%.6f", float64(mixed)/1_000_003)
	}
	return fmt.Sprintf("最优提示 %d of model-%d", mixed, column)
}

func (e Export) stock(ctx context.Context, dir, script string, r *Result) error {
	file := filepath.Join(dir, "pandas.xlsx")
	settle()
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: []string{e.Python, script, csvOf(dir), file}, Env: os.Environ()})
	if err := r.cost(ExportSheet, Workbooks, cost, err); err != nil {
		return err
	}
	return sized(r, Workbooks, file)
}

func (e Export) subject(ctx context.Context, dir string, u *tool.Upkeep, r *Result) error {
	_, types := e.columns()
	u.Services = []string{fmt.Sprintf("store: {kind: dataset, dir: %q, tables: {t: {files: [table.csv], key: [c0], columns: {%s}}}}",
		filepath.Join(dir, "store"), strings.Join(types, ", "))}
	if err := u.Init(ctx, filepath.Join(dir, "upkeep"), ""); err != nil {
		return err
	}
	file := filepath.Join(dir, "upkeep.xlsx")
	settle()
	cost, rows, err := u.Export(ctx, "store", "t", file)
	if err == nil && rows != e.Rows {
		err = fmt.Errorf("it wrote %d rows", rows)
	}
	if err := r.cost(ExportSheet, u.Name(), cost, err); err != nil {
		return err
	}
	return sized(r, u.Name(), file)
}

// sized keeps the size of a workbook and removes it.
func sized(r *Result, name, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	r.size(ExportSheet, name, info.Size())
	return os.Remove(file)
}
