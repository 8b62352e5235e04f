package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"upkeep/internal/journal"
	"upkeep/internal/service"
)

const childJournal = "JOURNAL_TEST_APPENDS_TO" // set for a child process: the file it appends to

func TestMain(m *testing.M) {
	if path := os.Getenv(childJournal); path != "" {
		if err := appendRuns(context.Background(), path, fmt.Sprint(os.Getpid())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const perAppender = 10 // runs, of three records each

// appendRuns opens the journal for itself and works as a run does.
func appendRuns(ctx context.Context, path, who string) error {
	j, err := journal.Open(ctx, path, time.Now)
	if err != nil {
		return err
	}
	defer j.Close()
	for i := range perAppender {
		run := check(fmt.Sprintf("%s-%d", who, i), time.Now())
		err := errors.Join(j.Begin(ctx, run), j.SaveTarget(ctx, run.ID, target("db", service.OK)), j.Finish(ctx, run))
		if err != nil {
			return err
		}
	}
	return nil
}

func TestProcessesAndGoroutinesAppendToOneChain(t *testing.T) {
	const processes, goroutines = 3, 5
	j, path := open(t)
	var group sync.WaitGroup
	for range processes {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childJournal+"="+path)
		group.Go(func() {
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("child: %v: %s", err, out)
			}
		})
	}
	for i := range goroutines {
		group.Go(func() {
			if err := appendRuns(t.Context(), path, fmt.Sprint("g", i)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	n, err := j.Verify(t.Context())
	if want := int64(processes+goroutines) * perAppender * 3; err != nil || n != want {
		t.Errorf("%d records of %d fit: %v", n, want, err)
	}
	runs, _, err := j.Runs(t.Context(), journal.Query{Limit: 1000})
	if err != nil || len(runs) != (processes+goroutines)*perAppender {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

// Of many who try to apply one plan, one does.
func TestOnlyOneAppliesAPlan(t *testing.T) {
	j, path := open(t)
	p := plan("vacuum")
	must(t, j.SavePlan(t.Context(), p))
	results := make(chan error, 8)
	for i := range cap(results) {
		other := reopen(t, path)
		go func() { results <- other.Applied(t.Context(), p.Digest, fmt.Sprint("run-", i)) }()
	}
	applied := 0
	for range cap(results) {
		switch err := <-results; {
		case err == nil:
			applied++
		case !errors.Is(err, service.ErrRefused):
			t.Error(err)
		}
	}
	if applied != 1 {
		t.Errorf("applied %d times", applied)
	}
}

func TestACancelledAppendLeavesNothing(t *testing.T) {
	j, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Note(ctx, "shop", "note", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, j.Note(context.WithoutCancel(ctx), "shop", "note", 2))
	if n, err := j.Verify(t.Context()); err != nil || n != 1 {
		t.Errorf("%d records, %v", n, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	j := filled(b, 0)
	for i := 0; b.Loop(); i++ {
		if err := j.Note(b.Context(), "shop", "note", i); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReads(b *testing.B) {
	j := filled(b, 10_000)
	reads := map[string]func() error{
		"first-50-of-10000-runs": func() error { _, _, err := j.Runs(b.Context(), journal.Query{System: "shop"}); return err },
		"50-of-target": func() error {
			_, _, err := j.Runs(b.Context(), journal.Query{System: "shop", Target: "rare"})
			return err
		},
		"all-10000-runs": func() error { _, _, err := j.Runs(b.Context(), journal.Query{Limit: 10_000}); return err },
		"latest":         func() error { _, err := j.Run(b.Context(), journal.Latest); return err },
		"verify-30000":   func() error { _, err := j.Verify(b.Context()); return err },
	}
	for name, read := range reads {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func filled(b *testing.B, runs int) *journal.Journal {
	path := b.TempDir() + "/journal.db"
	j, err := journal.Open(b.Context(), path, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	for i := range runs {
		run := check(fmt.Sprintf("run-%05d", i), start.Add(time.Duration(i)*time.Minute))
		name := "db"
		if i == runs/2 {
			name = "rare"
		}
		err := errors.Join(j.Begin(b.Context(), run), j.SaveTarget(b.Context(), run.ID, target(name, service.OK)), j.Finish(b.Context(), run))
		if err != nil {
			b.Fatal(err)
		}
	}
	return j
}
