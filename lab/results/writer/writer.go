// Package writer behaves like the programs that fill a results store, with their faults: it
// rewrites its increment with every batch, saves the JSON database as it remembers it, under
// a lock whose file it unlinks, and leaves some results as files. It keeps a log of what it has
// written, so that a test can tell what was lost or doubled.
package writer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"upkeep/lab/results/master"
	"upkeep/lab/results/record"
)

// Options of one writer.
type Options struct {
	Dir    string // of the store
	Log    string // file that it appends a line to for each result that is written: the place and the test_id
	Number int    // among those that write together: their models and keys differ
	Batch  int    // results at once
	Pause  time.Duration
	Atomic bool // increments are written to a new file and renamed
	JSON   bool // the JSON database is saved after every fifth batch; it must be of version 3.0
	Keys   bool // every batch is added to the main Parquet file too, which must be of generation C
}

// Places in the log.
const (
	Increment = "increment"
	Temp      = "temp"
)

// Run writes batches until ctx ends; the batch that it is in is finished. Every fourth batch
// becomes a file of results not yet taken in, the others go into its increment.
func Run(ctx context.Context, o Options) (err error) {
	log, err := os.OpenFile(o.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	w := newWriter(o)
	if o.JSON {
		if err := w.memory.load(); err != nil {
			return err
		}
	}
	for n := 1; ctx.Err() == nil; n++ {
		place, results, err := w.batch(context.WithoutCancel(ctx), n)
		if err != nil {
			return fmt.Errorf("batch %d: %w", n, err)
		}
		if _, err := log.Write(entries(place, results)); err != nil {
			return err
		}
		pause(ctx, o.Pause)
	}
	return nil
}

type writer struct {
	Options
	increment increment
	memory    memory
	given     int64 // results so far
}

func newWriter(o Options) *writer {
	name := incrementName(os.Getpid(), time.Now().Format("20060102_150405"))
	cumulative := filepath.Join(o.Dir, "pilot_bench_cumulative_results")
	return &writer{Options: o,
		increment: increment{filepath.Join(o.Dir, "pilot_bench_parquet_data", "incremental", name), o.Atomic},
		memory:    memory{path: filepath.Join(cumulative, "master_database.json"), lock: filepath.Join(cumulative, "master_database.lock")}}
}

// batch makes results and writes them to their place.
func (w *writer) batch(ctx context.Context, n int) (place string, results []record.Result, err error) {
	k := w.key(n)
	for range w.Batch {
		results = append(results, w.result(k))
	}
	place = Increment
	if n%4 == 0 {
		place, err = Temp, w.leave(results)
	} else {
		err = w.increment.add(results)
	}
	if err == nil && w.Keys {
		err = w.addToMain(ctx, k, results)
	}
	if err == nil && w.JSON {
		w.memory.record(k, results)
		if n%5 == 0 {
			err = w.memory.save(ctx)
		}
		if errors.Is(err, context.DeadlineExceeded) { // the memory keeps it for the next time
			err = nil
		}
	}
	return place, results, err
}

var (
	models = []string{"qwen2.5-72b-instruct", "DeepSeek-V3-0324", "Llama-3.3-70B-Instruct", "gpt-4o-mini", "grok-3-mini"}
	tasks  = []string{"simple_task", "basic_task", "data_pipeline", "api_integration", "multi_stage_pipeline"}
	labels = []string{record.Full, record.Full, record.Partial, record.Failed}
)

func (w *writer) key(n int) master.Key {
	prompts := []string{"optimal", "baseline", "cot"}
	return master.Key{Model: models[w.Number%len(models)], Prompt: prompts[n%len(prompts)], Rate: "0.8", Difficulty: "easy", Task: tasks[n%len(tasks)]}
}

// result has a number that no other writer gives: it begins with the one of the process.
func (w *writer) result(k master.Key) record.Result {
	w.given++
	return record.New(k, labels[w.given%int64(len(labels))], int64(os.Getpid())*1_000_000+w.given, time.Now())
}

// leave writes a file of results in place: who reads it meanwhile finds a part of it.
func (w *writer) leave(results []record.Result) error {
	at := time.Now()
	text, err := master.Text(record.Batch{Model: results[0].Model, Results: results, Timestamp: stamp(at), PID: os.Getpid(),
		ProcessInfo: fmt.Sprintf("shard_%d", w.Number), ResultCount: len(results)})
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s_%d_%d.json", results[0].Model, os.Getpid(), at.UnixMicro())
	return os.WriteFile(filepath.Join(w.Dir, "temp_results", name), text, 0o644)
}

func entries(place string, results []record.Result) []byte {
	var b bytes.Buffer
	for _, r := range results {
		fmt.Fprintf(&b, "%s %s\n", place, r.TaskID)
	}
	return b.Bytes()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
