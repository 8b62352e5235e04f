package pilotbench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	lab "upkeep/lab/results"
)

const inDatabases = "pilot_bench_cumulative_results/"

// Copies are found under every name that they have been seen to have; databases of other
// suites and what a writer is writing are none.
func TestCopiesUnderEveryName(t *testing.T) {
	env := servicetest.Env(t)
	dir := filepath.Join(env.Base, "store")
	if _, err := lab.Make(t.Context(), dir, lab.Shape{Models: 1, Parquet: "none"}); err != nil {
		t.Fatal(err)
	}
	right, err := os.ReadFile(filepath.Join(dir, master))
	if err != nil {
		t.Fatal(err)
	}
	copies := []string{
		"master_database_backup_20250817_013512.json", "master_database_backup_before_merge_20250818_185400.json", "master_database_before_restore_20250829_192900.json",
		"master_database.backup_cleanup_20250827_213700.json", "master_database.json.backup", "master_database.json.backup_20250830_160200", "master_database.json.backup_before_clean",
		"master_database copy.json", "master_database copy 3.json", "master_database_cleaned.json", "master_database.backup",
		"backups/backup_20250816_055800/master_database.json", "../backups/20250817/master_database.json", "../emergency_backup_20250821_184800/pilot_bench_cumulative_results/master_database.json",
	}
	others := []string{"master_database_closed_source.json", "master_database_closed_source_backup_20250817.json", "master_database.lock", "master_database.json.lock", ".master_database_1.tmp"}
	for _, name := range slices.Concat(copies, others) {
		path := filepath.Join(dir, inDatabases, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, right, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, master), 0); err != nil {
		t.Fatal(err)
	}
	cfg := Kind.NewConfig().(*Config)
	cfg.Dir = "store"
	in, err := open(env, *cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range copies {
		w := service.Wanted{From: filepath.Join(inDatabases, name), Accepted: func(service.Finding) bool { return false }}
		if steps, err := in.Recovery(t.Context(), w); err != nil || len(steps) == 0 {
			t.Errorf("%s is no copy: %v", name, err)
		}
	}
	for _, name := range others {
		w := service.Wanted{From: filepath.Join(inDatabases, name), Accepted: func(service.Finding) bool { return false }}
		if steps, err := in.Recovery(t.Context(), w); err == nil {
			t.Errorf("%s is a copy: %v", name, steps)
		}
	}
}
