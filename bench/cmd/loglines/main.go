// Command loglines writes generated log messages and, beside them, their true
// groups: the corpus of the benchmark of templates.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"

	"upkeep/bench/corpus"
)

func main() {
	n := flag.Int("n", 3_000_000, "lines")
	seed := flag.Uint64("seed", 20261125, "the same seed gives the same lines")
	system := flag.String("system", "", "only this one")
	flag.Parse()
	if err := write(*n, *seed, *system, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "loglines:", err)
		os.Exit(1)
	}
}

func write(n int, seed uint64, system, file string) error {
	systems, err := corpus.LogSystems()
	if err != nil {
		return err
	}
	if system != "" {
		systems = slices.DeleteFunc(systems, func(s corpus.LogSystem) bool { return s.Name != system })
	}
	if len(systems) == 0 {
		return fmt.Errorf("there is no system %q", system)
	}
	return corpus.SaveMessages(file, systems, seed, n)
}
