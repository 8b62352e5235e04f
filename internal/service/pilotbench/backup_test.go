package pilotbench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// A copy holds both databases, what is not merged yet and the configuration; what programs
// left beside them is in none.
func TestWhatACopyHolds(t *testing.T) {
	env := servicetest.Env(t)
	want := []string{"config/config.json", master, "pilot_bench_parquet_data/incremental/increment_1_20250901_120000.parquet",
		"pilot_bench_parquet_data/metadata.json", results, "temp_results/qwen_1_2.json"}
	beside := []string{"pilot_bench_cumulative_results/master_database_backup_20250901.json", "pilot_bench_cumulative_results/master_database copy 2.json",
		"pilot_bench_cumulative_results/master_database.lock", "temp_results/.merger.lock"}
	for _, name := range slices.Concat(want, beside) {
		path := filepath.Join(env.Base, "store", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(`{"version": "3.0"}`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Kind.NewConfig().(*Config)
	cfg.Dir = "store"
	in, err := Kind.Open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := in.(service.Source).Snapshot(t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	for p, err := range snap.Parts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("copied %q", got)
	}
}
