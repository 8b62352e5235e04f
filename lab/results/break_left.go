package results

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"upkeep/internal/tables"
	"upkeep/lab/results/master"
)

// incrementFaults add files to the increments.
func incrementFaults() []fault {
	return []fault{
		{"unreadable-increment", func(ctx context.Context, s store) (Planted, error) {
			path, _, err := s.addIncrement(ctx, 9000, func(generation string) string { return generation })
			if err != nil {
				return Planted{}, err
			}
			return s.planted(path, "the increment ends in the middle"), cutFile(path)
		}},
		{"foreign-increment", func(ctx context.Context, s store) (Planted, error) {
			path, generation, err := s.addIncrement(ctx, 9001, another)
			return s.planted(path, "the increment is of generation %s, the main file is not", generation), err
		}},
	}
}

func another(generation string) string {
	if generation == "A" {
		return "C"
	}
	return "A"
}

// addIncrement makes an increment of 40 rows or more, of a generation that follows from the
// one of the main file.
func (s store) addIncrement(ctx context.Context, n int, of func(string) string) (path, generation string, err error) {
	main, err := s.main()
	if err != nil {
		return "", "", err
	}
	if generation, err = generationOf(main); err != nil {
		return "", "", err
	}
	generation = of(generation)
	shape := Shape{Seed: uint64(n), Parquet: generation, Models: 1, Rows: 200}.usually()
	m := &maker{Shape: shape, dir: s.dir, leaves: leaves(shape, shape.tests())}
	m.truth = truthOf(m.leaves)
	path = s.path(incrementName(n, shape.Now.Add(time.Hour)))
	err = withTables(ctx, s.dir, func(db *tables.DB, scratch string) error {
		_, err := fileWriter{shape, db, scratch}.write(ctx, m.mainFeed(), path)
		return err
	})
	return path, generation, err
}

// leftovers are files that a writer or its end left behind, and a directory that is no
// store.
func leftovers() []fault {
	return []fault{
		{"old-temp", oldTemp},
		{"unparsable-temp", func(_ context.Context, s store) (Planted, error) {
			text, err := master.Text(map[string]any{"model": modelName(0), "results": []any{map[string]any{"model": modelName(0), "task_type": tasks[0]}}})
			path := s.path(tempDir, fmt.Sprintf("%s_%d_%d.json", modelName(0), deadPID+9100, int64(1756727700000000)))
			return s.planted(path, "results not yet taken in end in the middle"), errors.Join(err, aged(path, text[:len(text)/2], 2*time.Hour))
		}},
		{"transaction-leftover", func(_ context.Context, s store) (Planted, error) {
			text, err := master.Text([]any{map[string]any{"model": modelName(0), "task_type": tasks[0], "prompt_type": "optimal", "success": true}})
			path := s.path(parquetDir, "transaction_5eed0a1b.tmp")
			return s.planted(path, "a transaction did not end"), errors.Join(err, aged(path, text, 3*time.Hour))
		}},
		{"stale-lock", staleLock},
		{"not-a-store", notAStore},
	}
}

// aged writes a file that was last written some time ago.
func aged(path string, text []byte, ago time.Duration) error {
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	at := time.Now().Add(-ago)
	return os.Chtimes(path, at, at)
}

func oldTemp(_ context.Context, s store) (Planted, error) {
	m := &maker{Shape: Shape{Seed: 9200}.usually(), dir: s.dir}
	m.leaves = leaves(m.Shape, 0)
	for n := range 3 {
		name, text, err := m.batch(n)
		if err != nil {
			return Planted{}, err
		}
		if err := aged(s.path(tempDir, name), text, 2*time.Hour); err != nil {
			return Planted{}, err
		}
	}
	return s.planted(s.path(tempDir), "3 files with 9 results are 2 hours old and nobody takes them in"), nil
}

// staleLock leaves files of locks that nobody holds; the merger's was emptied by one that
// tried to take it.
func staleLock(_ context.Context, s store) (Planted, error) {
	locks := map[string]string{
		s.path(jsonDir, "master_database.lock"):      "",
		s.path(jsonDir, "master_database.json.lock"): "",
		s.path(parquetDir, mainFile+".lock"):         "",
		s.path(tempDir, ".merger.lock"):              "-1",
	}
	for path, text := range locks {
		if err := aged(path, []byte(text), 40*time.Hour); err != nil {
			return Planted{}, err
		}
	}
	return s.planted(s.dir, "4 lock files are 40 hours old and nobody holds them"), nil
}

// notAStore puts things of another program in the places of a store.
func notAStore(ctx context.Context, s store) (Planted, error) {
	for _, dir := range []string{jsonDir, parquetDir} {
		if err := os.RemoveAll(s.path(dir)); err != nil {
			return Planted{}, err
		}
		if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
			return Planted{}, err
		}
	}
	const page = `{"name": "frontend", "private": true, "dependencies": {"vue": "^3.4.0"}}` + "\n"
	path := s.path(parquetDir, mainFile)
	err := errors.Join(
		os.WriteFile(s.path(jsonDir, "master_database.json"), []byte(page), 0o644),
		withTables(ctx, s.dir, func(db *tables.DB, _ string) error {
			return db.Do(ctx, "COPY (SELECT range AS id, 'user' || range AS email FROM range(20)) TO "+tables.Text(path)+" (FORMAT parquet)")
		}))
	return s.planted(s.dir, "the files have the names of a store and hold something else"), err
}
