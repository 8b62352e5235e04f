// Package suite runs the benchmarks round by round: in every round each tool does
// the same work once, in an order that rotates, so that a slow minute of the
// machine hits all of them.
package suite

import (
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"upkeep/bench/measure"
)

// Result holds every run of every tool.
type Result struct {
	costs  map[key][]measure.Cost
	bytes  map[key][]int64
	shares map[key][]float64   // of messages in wrong groups, one value per set
	notes  map[string][]string // by suite
	stores []string            // that a drill restored, in its order
	Failed []string            // what went wrong, one line or more each
}

type key struct{ work, tool string }

// NewResult is empty.
func NewResult() *Result {
	return &Result{costs: map[key][]measure.Cost{}, bytes: map[key][]int64{}, shares: map[key][]float64{}, notes: map[string][]string{}}
}

// Note keeps what a reader of a suite's table must know.
func (r *Result) Note(suite, text string) { r.notes[suite] = append(r.notes[suite], text) }

// Notes of one suite.
func (r *Result) Notes(suite string) []string { return r.notes[suite] }

// Runs returns all runs of one tool at one work.
func (r *Result) Runs(work, tool string) []measure.Cost { return r.costs[key{work, tool}] }

// Bytes returns the sizes that were taken after each run.
func (r *Result) Bytes(work, tool string) []int64 { return r.bytes[key{work, tool}] }

func (r *Result) cost(work, tool string, c measure.Cost, err error) error {
	if err != nil {
		return fmt.Errorf("%s, %s: %w", work, tool, err)
	}
	k := key{work, tool}
	r.costs[k] = append(r.costs[k], c)
	slog.Info("measured", "work", work, "tool", tool, "wall", c.Wall, "cpu", c.CPU, "peak_mib", c.Peak>>20)
	return nil
}

func (r *Result) size(work, tool string, n int64) {
	k := key{work, tool}
	r.bytes[k] = append(r.bytes[k], n)
	slog.Info("measured", "work", work, "tool", tool, "bytes", n)
}

func (r *Result) wrong(work, tool string, share float64) {
	k := key{work, tool}
	r.shares[k] = append(r.shares[k], share)
	slog.Info("measured", "work", work, "tool", tool, "in_wrong_groups", share)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// openDir makes a directory that the user of a server can enter, which a cache
// below /root is not.
func openDir() (string, error) {
	dir, err := os.MkdirTemp("", "upkeep-bench-")
	if err != nil {
		return "", fmt.Errorf("make room for a server: %w", err)
	}
	return dir, os.Chmod(dir, 0o711)
}

// Fail keeps an error for the report: the other tools and suites go on.
func (r *Result) Fail(err error) {
	if err != nil {
		r.Failed = append(r.Failed, err.Error())
		slog.Error("failed", "error", err)
	}
}

// settle waits until everything written so far is on disk, so that no tool pays
// for what another one left in memory.
func settle() { syscall.Sync() }

// rotate gives the order of one round.
func rotate[T any](all []T, round int) []T {
	if len(all) == 0 {
		return nil
	}
	at := round % len(all)
	return append(append([]T{}, all[at:]...), all[:at]...)
}
