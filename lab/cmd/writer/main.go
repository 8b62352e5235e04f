// Command writer fills a results store as the programs do that fill one, until its standard
// input ends or it is told to stop.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"upkeep/lab/results/writer"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stderr))
}

func run(args []string, in io.Reader, problems io.Writer) int {
	o, err := options(args, problems)
	if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, in) // its end is what counts
		stop()
	}()
	if err := writer.Run(ctx, o); err != nil {
		fmt.Fprintln(problems, "writer:", err)
		return 1
	}
	return 0
}

func options(args []string, problems io.Writer) (o writer.Options, err error) {
	flags := flag.NewFlagSet("writer", flag.ContinueOnError)
	flags.SetOutput(problems)
	flags.StringVar(&o.Dir, "dir", ".", "directory of the store")
	flags.StringVar(&o.Log, "log", "writer.log", "file that gets a line for each result that is written")
	flags.IntVar(&o.Number, "number", 0, "number of this writer among those that write together")
	flags.IntVar(&o.Batch, "batch", 5, "results at once")
	flags.DurationVar(&o.Pause, "pause", 200*time.Millisecond, "pause after each batch")
	flags.BoolVar(&o.Atomic, "atomic", false, "write increments to a new file and rename it")
	flags.BoolVar(&o.JSON, "json", true, "save the JSON database of version 3.0")
	flags.BoolVar(&o.Keys, "keys", false, "add each batch to the main Parquet file of generation C")
	return o, flags.Parse(args)
}
