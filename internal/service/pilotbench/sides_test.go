package pilotbench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	lab "upkeep/lab/results"
)

// A side that was never there is said once, and is no loss; one that was there is.
func TestAStoreOfOneSide(t *testing.T) {
	for _, c := range []struct {
		name, json, parquet, missing string
	}{
		{"JSON alone", "3.0", "none", results},
		{"Parquet alone", "none", "A", master},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, in, _ := made(t, lab.Shape{JSON: c.json, Parquet: c.parquet, Models: 2, Rows: 100})
			for range 2 {
				ids, v := found(t, in.Check)
				if len(ids) != 1 || ids[0] != "pilotbench.side-missing "+c.missing || v.Findings[0].Severity != service.Warning {
					t.Errorf("found %v", ids)
				}
			}
			whole, _, _ := made(t, lab.Shape{Models: 2, Rows: 100})
			to := filepath.Join(dir, c.missing)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Link(filepath.Join(whole, c.missing), to); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(to); err != nil {
				t.Fatal(err)
			}
			ids, v := found(t, in.Check)
			if !strings.Contains(fmt.Sprint(ids), "dataset.file-missing") || v.Findings[0].Severity != service.Critical {
				t.Errorf("of one that was there: %v", ids)
			}
		})
	}
}

// What is declared not to be there is not missed; when all is gone, all is missed.
func TestASideThatIsDeclaredAsNone(t *testing.T) {
	dir, in, _ := made(t, lab.Shape{JSON: "3.0", Parquet: "none", Models: 2})
	var cfg Config
	cfg.Defaults()
	cfg.Dir, cfg.Parquet = dir, none
	if p := cfg.Validate(); len(p) > 0 {
		t.Fatal(p)
	}
	d, findings, err := cfg.declare(t.Context(), memory{}, dir)
	if _, is := d.Tables["results"]; err != nil || is || len(findings) > 0 {
		t.Errorf("declared %v, found %v, %v", d.Tables, findings, err)
	}
	if err := os.Remove(filepath.Join(dir, master)); err != nil {
		t.Fatal(err)
	}
	if ids, _ := found(t, in.Check); len(ids) != 2 {
		t.Errorf("of nothing: found %v", ids)
	}
	cfg.JSON = none
	if p := fmt.Sprint(cfg.Validate()); !strings.Contains(p, "one of json and parquet") {
		t.Errorf("said %s", p)
	}
}

// A torn file is of the generation that it had: its increments are no strangers.
func TestTheGenerationOfATornFile(t *testing.T) {
	for _, generation := range []string{"A", "B", "C"} {
		dir, in, _ := made(t, lab.Shape{Parquet: generation, Models: 2, Rows: 100, Increments: 2, IncrementRows: 10})
		if ids, _ := found(t, in.Check); len(ids) > 0 {
			t.Fatalf("%s: found %v", generation, ids)
		}
		if _, err := lab.Break(dir, "torn-footer"); err != nil {
			t.Fatal(err)
		}
		ids, _ := found(t, in.Check)
		if len(ids) != 1 || ids[0] != "dataset.file-damaged "+results {
			t.Errorf("%s: found %v", generation, ids)
		}
	}
}
