package pilotbench

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"upkeep/internal/service"
	lab "upkeep/lab/results"
)

// recognized says what is told of a directory: the IDs, and the values that matter.
func recognized(t *testing.T, dir string) (r service.Recognized, tells []string) {
	t.Helper()
	r, ok := (&Config{}).Recognize(dir)
	if !ok {
		return r, []string{"nothing"}
	}
	for _, m := range r.About {
		told := strings.TrimPrefix(m.ID, "pilotbench.")
		for _, arg := range []string{"version", "generation"} {
			if value, ok := m.Args[arg].(string); ok {
				told += " " + value
			}
		}
		tells = append(tells, told)
	}
	for _, m := range r.Unsure {
		tells = append(tells, "unsure: "+strings.TrimPrefix(m.ID, "pilotbench."))
	}
	return r, tells
}

func TestStoresAreRecognized(t *testing.T) {
	cases := []struct {
		name  string
		shape lab.Shape
		fault string
		want  []string
	}{
		{"the newest", lab.Shape{}, "", []string{"database 3.0", "results C"}},
		{"older", lab.Shape{JSON: "2.0", Parquet: "B"}, "", []string{"database 2.0", "results B"}},
		{"the oldest that is judged", lab.Shape{JSON: "1.0", Parquet: "A", Rows: 500}, "", []string{"database 1.0", "results A"}},
		{"before all versions", lab.Shape{JSON: "pre-1"}, "", []string{"results C", "unsure: not-there"}},
		{"the database alone", lab.Shape{Parquet: "none"}, "", []string{"database 3.0", "unsure: not-there"}},
		{"begun anew", lab.Shape{}, "recreated-empty", []string{"database 3.0", "results C"}},
		{"torn", lab.Shape{}, "torn-footer", []string{"database 3.0", "unsure: results-unread"}},
		{"no bytes", lab.Shape{}, "empty", []string{"results C", "unsure: database-unread"}},
		{"of another program", lab.Shape{}, "not-a-store", []string{"unsure: version-unsure", "unsure: generation-unsure"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			c.shape.Models = 2
			if _, err := lab.Make(t.Context(), dir, c.shape); err != nil {
				t.Fatal(err)
			}
			if c.fault != "" {
				if _, err := lab.Break(dir, c.fault); err != nil {
					t.Fatal(err)
				}
			}
			if _, tells := recognized(t, dir); !reflect.DeepEqual(tells, c.want) {
				t.Errorf("told %v, want %v", tells, c.want)
			}
		})
	}
}

func TestWhatBelongsToAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := lab.Make(t.Context(), dir, lab.Shape{Models: 1, Logs: 1}); err != nil {
		t.Fatal(err)
	}
	r, _ := recognized(t, dir)
	want := service.Recognized{Name: "results", About: r.About,
		Holds:  []string{filepath.Join(dir, "pilot_bench_cumulative_results"), filepath.Join(dir, "pilot_bench_parquet_data"), filepath.Join(dir, "temp_results")},
		Config: []string{filepath.Join(dir, "config/config.json")}, Logs: []string{filepath.Join(dir, "logs")}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v", r)
	}
}

// A pipe of the name of a file is none: opening it would wait for ever.
func TestWhatIsNoStore(t *testing.T) {
	dir := t.TempDir()
	err := errors.Join(os.Mkdir(filepath.Join(dir, "pilot_bench_cumulative_results"), 0o755), syscall.Mkfifo(filepath.Join(dir, master), 0o644),
		os.WriteFile(filepath.Join(dir, "pilot_bench_parquet_data"), nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{dir, t.TempDir(), "/nowhere"} {
		if _, tells := recognized(t, dir); tells[0] != "nothing" {
			t.Errorf("%s: %v", dir, tells)
		}
	}
}
