package results

import (
	"context"
	"fmt"
	"slices"

	"upkeep/internal/tables"
	"upkeep/internal/tables/footer"
)

// tableFaults change rows of the main Parquet file; it stays a whole one.
func tableFaults() []fault {
	return []fault{
		{"stale-rates", inRows("10 rows have a success_rate that is not success / total", staleRates)},
		{"null-keys", inRows("3 rows have no model, 2 no task_type", func(string) (string, error) {
			return "SELECT * EXCLUDE (file_row_number) REPLACE (if(file_row_number < 3, NULL, model) AS model, " +
				"if(file_row_number BETWEEN 3 AND 4, NULL, task_type) AS task_type) FROM source", nil
		})},
		{"absent-key-column", inRows("the column task_type is missing", func(string) (string, error) {
			return "SELECT * EXCLUDE (file_row_number, task_type) FROM source", nil
		})},
		{"rates-as-float32", inRows("all rows are there twice: with the rate as 0.8, and as 0.800000011920929", twoRates)},
		{"duplicate-rows", inRows("20 rows are there twice, the same in all columns", func(string) (string, error) {
			return "SELECT * EXCLUDE (file_row_number) FROM source UNION ALL SELECT * EXCLUDE (file_row_number) FROM source WHERE file_row_number < 20", nil
		})},
	}
}

// inRows writes the main file anew by a query over source, which has its rows with their
// numbers.
func inRows(what string, query func(generation string) (string, error)) func(context.Context, store) (Planted, error) {
	return func(ctx context.Context, s store) (Planted, error) {
		path, err := s.main()
		if err != nil {
			return Planted{}, err
		}
		generation, err := generationOf(path)
		if err != nil {
			return Planted{}, err
		}
		ask, err := query(generation)
		if err != nil {
			return Planted{}, err
		}
		return s.planted(path, "%s", what), withTables(ctx, s.dir, func(db *tables.DB, _ string) error {
			return replaced(path, func(from, to string) error {
				return db.Do(ctx, "COPY (WITH source AS (FROM read_parquet("+tables.Text(from)+", file_row_number = true)) "+ask+") TO "+
					tables.Text(to)+" (FORMAT parquet, COMPRESSION snappy)")
			})
		})
	}
}

// generationOf tells them apart by their columns.
func generationOf(path string) (string, error) {
	f, err := footer.Read(path)
	if err != nil {
		return "", err
	}
	has := func(name string) bool {
		return slices.ContainsFunc(f.Columns, func(c footer.Column) bool { return c.Name == name })
	}
	switch {
	case has("test_id"):
		return "A", nil
	case has("imported_from_json"):
		return "C+import", nil
	case has("total_errors"):
		return "C", nil
	}
	return "B", nil
}

// staleRates needs rows of keys: a rate of a single test is that of its group.
func staleRates(generation string) (string, error) {
	if generation == "A" {
		return "", fmt.Errorf("generation A has no rates of rows: %w", ErrShape)
	}
	return "SELECT * EXCLUDE (file_row_number) REPLACE (if(file_row_number < 10, (success_rate + 0.37) % 1, success_rate) AS success_rate) FROM source", nil
}

// twoRates is what a merge leaves that compares rates as they are written.
func twoRates(generation string) (string, error) {
	again := "tool_success_rate::float::double AS tool_success_rate"
	if generation == "A" {
		const short, long = "'_' || tool_success_rate::varchar || '_'", "'_' || tool_success_rate::double::varchar || '_'"
		again = "if(contains(test_id, " + short + "), replace(test_id, " + short + ", " + long + "), replace(test_id, " + long + ", " + short + ")) AS test_id"
	}
	return "SELECT * EXCLUDE (file_row_number) FROM source UNION ALL SELECT * EXCLUDE (file_row_number) REPLACE (" + again + ") FROM source", nil
}
