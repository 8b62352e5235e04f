// Command upkeep checks declared systems, copies them, proves that the copies
// restore, and says so. See README.md.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
	_ "time/tzdata" // a bare machine has no time zones of its own

	"upkeep/internal/control"
	"upkeep/internal/serve"
	"upkeep/internal/service/all"
	"upkeep/internal/surface/cli"
	"upkeep/internal/surface/web"
)

// version and commit are set by the build.
var version, commit = "dev", ""

func main() { os.Exit(run()) }

// collectAt makes the collector run at half the usual growth: the peak of a first
// backup falls by a tenth, its time does not change measurably.
const collectAt = 50

// heapAtMost is what Go may take before its collector works harder to stay below: twice the
// largest peak that was measured over all verbs. It is no wall, so no run fails by it, and
// tables keep a limit of their own (tables.Limits). GOMEMLIMIT takes its place.
const heapAtMost = 512 << 20

func run() int {
	debug.SetGCPercent(collectAt)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapAtMost)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.World{Kinds: all.Kinds(), Getenv: os.Getenv, Now: time.Now,
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Version: version, Commit: commit, Page: page}, os.Args[1:])
}

// page is what upkeep serve shows.
func page(p *serve.Process) http.Handler {
	texts, err := control.Texts(all.Kinds(), web.Words())
	if err != nil {
		panic(fmt.Sprintf("gather the words of the page: %v", err)) // they are built in
	}
	return web.New(web.World{System: web.Of(p), Texts: texts, Now: web.Clock(p), Log: p.Log()})
}
