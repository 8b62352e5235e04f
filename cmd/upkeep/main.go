// Command upkeep checks declared systems, copies them, proves that the copies
// restore, and says so. See README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"upkeep/internal/service/all"
	"upkeep/internal/surface/cli"
)

// version is set by the build.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.World{Kinds: all.Kinds(), Getenv: os.Getenv, Now: time.Now,
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Version: version}, os.Args[1:])
}
