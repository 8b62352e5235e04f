package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/lab/results"
)

const resultsUsage = `usage:
  lab results make [flags] DIR         make a store of benchmark results under DIR; -h lists the flags
  lab results break DIR WHAT           plant one fault; an unknown one lists them
`

func benchmarkResults(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case args[0] == "make":
		return makeResults(ctx, args[1:], out)
	case args[0] == "break" && len(args) == 3:
		planted, err := results.Break(args[1], args[2])
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out, "%s: %s\n", planted.Path, planted.What)
		return err
	}
	return fmt.Errorf("cannot do %q\n%s", args, resultsUsage)
}

func makeResults(ctx context.Context, args []string, out io.Writer) error {
	var s results.Shape
	flags := flag.NewFlagSet("lab results make", flag.ContinueOnError)
	flags.Uint64Var(&s.Seed, "seed", 0, "another number, another store")
	flags.StringVar(&s.JSON, "json", "3.0", "version of the JSON database: pre-1, 1.0, 2.0, 3.0 or none")
	flags.StringVar(&s.Parquet, "parquet", "C", "generation of the Parquet file: A, B, C, C+import or none")
	flags.IntVar(&s.Models, "models", 5, "models that were tested, of 80 keys each")
	flags.IntVar(&s.Rows, "rows", 5000, "rows of the Parquet file of generation A, up to 50,000,000")
	flags.IntVar(&s.Increments, "increments", 0, "files of increments")
	flags.IntVar(&s.IncrementRows, "increment-rows", 100, "rows of each of them")
	flags.IntVar(&s.Temp, "temp", 0, "files of results not yet taken in")
	flags.IntVar(&s.Logs, "logs", 0, "log files")
	flags.BoolVar(&s.Backups, "backups", false, "copies under all names that were seen")
	now := flags.Bool("now", false, "the newest result is of this minute")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("which directory?\n%s", resultsUsage)
	}
	start := time.Now()
	if *now {
		s.Now = start.UTC().Truncate(time.Minute)
	}
	truth, err := results.Make(ctx, flags.Arg(0), s)
	if err != nil {
		return err
	}
	return tell(out, truth, time.Since(start))
}

func tell(out io.Writer, t results.Truth, took time.Duration) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d tests: %d successes, of them %d partial, and %d failures\n", t.Tests, t.Success, t.Partial, t.Failure)
	for _, model := range slices.Sorted(maps.Keys(t.ByModel)) {
		fmt.Fprintf(&b, "  %-28s %d\n", model, t.ByModel[model])
	}
	fmt.Fprintf(&b, "%d Parquet rows, %d rows of increments with %d new keys; made in %.1f s\n", t.ParquetRows, t.IncrementRows, t.IncrementNewKeys, took.Seconds())
	_, err := io.WriteString(out, b.String())
	return err
}
