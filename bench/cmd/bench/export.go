package main

import (
	"context"

	"upkeep/bench/suite"
)

// Releases that are measured.
const (
	pandasVersion   = "2.3.3"
	openpyxlVersion = "3.1.5"
)

func (b board) export(ctx context.Context) error {
	python, err := b.python(ctx, "export", "pandas=="+pandasVersion, "openpyxl=="+openpyxlVersion)
	if err != nil {
		return err
	}
	b.result.Note("export", "pandas "+pandasVersion+", openpyxl "+openpyxlVersion)
	return suite.Export{Rows: b.sheetRows, Python: python, Scratch: b.scratch, Rounds: b.rounds}.Run(ctx, b.subject, b.result)
}
