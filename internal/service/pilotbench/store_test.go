package pilotbench

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
	"upkeep/internal/service/servicetest"
	lab "upkeep/lab/results"
)

// made is a store of the generator, and an instance over it.
func made(t *testing.T, s lab.Shape) (string, *dataset.Instance, lab.Truth) {
	t.Helper()
	env := servicetest.Env(t)
	dir := filepath.Join(env.Base, "store")
	truth, err := lab.Make(t.Context(), dir, s)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Kind.NewConfig().(*Config)
	cfg.Dir = "store"
	in, err := open(env, *cfg)
	if err != nil {
		t.Fatal(err)
	}
	return dir, in, truth
}

// found are the findings that are no matter of age: a store that was made is as old as
// its content.
func found(t *testing.T, check func(context.Context) (service.Verdict, error)) ([]string, service.Verdict) {
	t.Helper()
	v, err := check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range v.Findings {
		if !slices.Contains([]string{"dataset.waiting", "dataset.increments-wait"}, f.ID) {
			ids = append(ids, f.ID+" "+f.Subject)
		}
	}
	return ids, v
}

func TestEveryVersionAndGenerationInOrder(t *testing.T) {
	for _, version := range []string{"1.0", "2.0", "3.0"} {
		for _, generation := range []string{"A", "B", "C", "C+import"} {
			t.Run(version+" "+generation, func(t *testing.T) {
				_, in, truth := made(t, lab.Shape{JSON: version, Parquet: generation, Models: 2, Rows: 500, Increments: 1, IncrementRows: 20})
				ids, v := found(t, in.Check)
				if len(ids) > 0 {
					t.Errorf("found %v: %+v", ids, v.Findings)
				}
				table := map[string]string{"1.0": "groups", "2.0": "models", "3.0": "leaves"}[version]
				if v.Facts[table+"_tests"] != truth.Tests || v.Facts["results_rows"] != truth.ParquetRows {
					t.Errorf("facts %v, truth %+v", v.Facts, truth)
				}
			})
		}
	}
}

// expected says which faults of the generator are which finding. Those of a file beside
// the tables, and those that need an earlier look, are told apart below.
func expected() map[string]string {
	const document, parquet = "dataset.document-damaged " + master, "dataset.file-damaged " + results
	return map[string]string{
		"truncated": document, "garbled": document, "empty": document, "bom": document, "duplicate-key": document, "nan": "dataset.no-json-number " + master, "bad-utf8": document,
		"summary-zero": "dataset.level-differs summary/total_tests", "summary-partial": "dataset.level-differs summary/total_success",
		"leaf-off": "dataset.invariant-broken leaves.parts-are-total", "model-total-off": "dataset.level-differs models/{model}/total_tests",
		"recreated-empty": "dataset.made-anew leaves", "vanished-model": "dataset.group-vanished leaves.model", "vanished-prompt": "dataset.group-vanished leaves.prompt",
		"overwritten-prompt": "dataset.group-fell leaves.prompt", "polluted": "dataset.row-unusual leaves.of-a-known-prompt",
		"stale-rates": "dataset.derived-differs results.success_rate", "torn-footer": parquet, "hostile-sizes": parquet, "empty-parquet": parquet, "truncated-parquet": parquet,
		"not-parquet": parquet, "null-keys": "dataset.key-null results", "absent-key-column": "dataset.column-missing results.task_type", "duplicate-rows": "dataset.key-twice results",
		"counts-disagree": "dataset.copy-differs parquet", "page-checksum": parquet,
	}
}

func TestEveryFaultIsNamed(t *testing.T) {
	for fault, want := range expected() {
		t.Run(fault, func(t *testing.T) {
			dir, in, _ := made(t, lab.Shape{Models: 2})
			if ids, v := found(t, in.Check); len(ids) > 0 {
				t.Fatalf("found before the fault %v: %+v", ids, v.Findings)
			}
			planted, err := lab.Break(dir, fault)
			if err != nil {
				t.Fatal(err)
			}
			ids, v := found(t, func(ctx context.Context) (service.Verdict, error) { return in.Diagnose(ctx, service.Report{}) })
			if !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, want) }) {
				t.Errorf("%s: found %v, want %s: %+v", planted.What, ids, want, v.Findings)
			}
		})
	}
}

func TestFaultsBesideTheTables(t *testing.T) {
	for fault, want := range map[string]string{
		"unreadable-increment": "dataset.increment-damaged", "foreign-increment": "dataset.increment-foreign",
		"old-temp": "dataset.waiting", "transaction-leftover": "dataset.waiting",
	} {
		t.Run(fault, func(t *testing.T) {
			dir, in, _ := made(t, lab.Shape{Models: 2, Increments: 2, IncrementRows: 20})
			if _, err := lab.Break(dir, fault); err != nil {
				t.Fatal(err)
			}
			v, err := in.Check(t.Context())
			if err != nil || !slices.ContainsFunc(v.Findings, func(f service.Finding) bool { return f.ID == want }) {
				t.Errorf("found %+v, %v", v.Findings, err)
			}
		})
	}
}

// A number over 2^53 is kept to its last digit, depth is no fault, an old lock file says
// nothing.
func TestWhatIsNoFault(t *testing.T) {
	for _, what := range []string{"deep", "big-number", "stale-lock"} {
		t.Run(what, func(t *testing.T) {
			dir, in, _ := made(t, lab.Shape{Models: 2})
			if _, err := lab.Break(dir, what); err != nil {
				t.Fatal(err)
			}
			if ids, v := found(t, in.Check); len(ids) > 0 {
				t.Errorf("found %v: %+v", ids, v.Findings)
			}
		})
	}
}

func TestADirectoryThatIsNoStore(t *testing.T) {
	dir, in, _ := made(t, lab.Shape{Models: 2})
	if _, err := lab.Break(dir, "not-a-store"); err != nil {
		t.Fatal(err)
	}
	ids, v := found(t, in.Check)
	if !slices.Contains(ids, "pilotbench.version-unknown "+master) || !slices.Contains(ids, "pilotbench.generation-unknown "+results) {
		t.Errorf("found %v: %+v", ids, v.Findings)
	}
}

// Rates that went through a float32 are the same rate: merging such rows adds none.
func TestRatesOfDifferentPrecision(t *testing.T) {
	dir, in, truth := made(t, lab.Shape{Parquet: "A", Rows: 500, Models: 2})
	if _, err := lab.Break(dir, "rates-as-float32"); err != nil {
		t.Fatal(err)
	}
	steps, err := in.Curate(t.Context(), service.Work{Care: service.Dedup})
	if err != nil || len(steps) != 1 || steps[0].Title.Args["after"] != truth.ParquetRows {
		t.Errorf("planned %+v, %v; truth %+v", steps, err, truth)
	}
}

func TestMergeOfEveryGeneration(t *testing.T) {
	for _, generation := range []string{"A", "B", "C", "C+import"} {
		t.Run(generation, func(t *testing.T) {
			dir, in, truth := made(t, lab.Shape{Parquet: generation, Rows: 500, Models: 2, Increments: 3, IncrementRows: 50})
			steps, err := in.Curate(t.Context(), service.Work{Care: service.Merge})
			if err != nil || len(steps) != 1 {
				t.Fatal(steps, err)
			}
			out, err := in.Do(t.Context(), steps[0], service.Report{})
			if err != nil {
				t.Fatal(err)
			}
			if want := truth.ParquetRows + truth.IncrementNewKeys; out.Verdict.Facts["results_rows_after"] != want {
				t.Errorf("%v rows, want %d: %v", out.Verdict.Facts["results_rows_after"], want, out.Verdict.Facts)
			}
			if v, err := in.Check(t.Context()); err != nil || v.Facts["increments_results"] != 0 {
				t.Errorf("after the merge %v increments wait, %v", v.Facts["increments_results"], err)
			}
			if files, err := os.ReadDir(filepath.Join(dir, "pilot_bench_parquet_data", "incremental")); err != nil || len(files) != 3 {
				t.Errorf("increments: %v, %v", files, err)
			}
		})
	}
}
