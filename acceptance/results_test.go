package acceptance

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	pilotbench "upkeep/examples/pilot-bench"
	"upkeep/lab/results"
)

// resultsCommand makes a results store, or harms it, or writes the example's declaration of
// one.
//
//	results make DIR [json=3.0] [parquet=C] [models=2] [rows=500] [increments=3] [increment-rows=50] [backups=yes] [logs=3]
//	results break DIR FAULT
//	results declaration FILE
func resultsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: results make DIR [KEY=VALUE…], results break DIR FAULT, results declaration FILE")
	}
	dir := ts.MkAbs(args[1])
	switch args[0] {
	case "declaration":
		ts.Check(os.WriteFile(dir, pilotbench.Declaration, 0o600))
	case "make":
		truth, err := results.Make(context.Background(), dir, shapeOf(ts, args[2:]))
		ts.Check(err)
		ts.Setenv("TESTS", strconv.FormatInt(truth.Tests, 10))
		ts.Setenv("ROWS", strconv.FormatInt(truth.ParquetRows, 10))
		ts.Setenv("MERGED", strconv.FormatInt(truth.ParquetRows+truth.IncrementNewKeys, 10))
	case "break":
		planted, err := results.Break(dir, args[2])
		ts.Check(err)
		ts.Logf("%s: %s", planted.Path, planted.What)
	default:
		ts.Fatalf("results cannot %s", args[0])
	}
}

func shapeOf(ts *testscript.TestScript, args []string) results.Shape {
	s := results.Shape{Models: 2}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		n, _ := strconv.Atoi(value) // 0 for what is no number
		switch key {
		case "json":
			s.JSON = value
		case "parquet":
			s.Parquet = value
		case "models":
			s.Models = n
		case "rows":
			s.Rows = n
		case "increments":
			s.Increments = n
		case "increment-rows":
			s.IncrementRows = n
		case "backups":
			s.Backups = value == "yes"
		case "logs":
			s.Logs = n
		default:
			ts.Fatalf("a store has no %s", key)
		}
	}
	return s
}
