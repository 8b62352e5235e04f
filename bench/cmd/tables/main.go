// Command tables makes stores of tables and looks at what became of them, for the
// benchmark: DuckDB within the measuring program would show in the memory of all that it
// measures.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"upkeep/bench/corpus"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "tables:", err)
		os.Exit(1)
	}
}

// run makes a store in a directory and prints what a merge of it must give, or prints
// what a file holds.
func run(ctx context.Context) error {
	var spec corpus.Tables
	flag.IntVar(&spec.Rows, "rows", 0, "rows of the main file; 0 = look at a file")
	flag.IntVar(&spec.Increments, "increments", 0, "files of increments")
	flag.IntVar(&spec.IncrementRows, "increment-rows", 0, "rows of each")
	flag.Parse()
	digest, err := corpus.TableDigest, error(nil)
	if spec.Rows > 0 {
		digest, err = spec.Merged, spec.Write(ctx, flag.Arg(0))
	}
	if err != nil {
		return err
	}
	text, err := digest(ctx, flag.Arg(0))
	if err == nil {
		_, err = fmt.Print(text)
	}
	return err
}
