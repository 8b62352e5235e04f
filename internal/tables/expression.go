package tables

import (
	"context"
	"errors"
	"maps"
	"strings"
)

// Expressions looks at texts that should each be one expression over the columns of a
// row, and returns those that are none, by their names, as DuckDB's parser sees them. Which
// columns there are, it does not know.
func Expressions(texts map[string]string) map[string]error {
	wrong := map[string]error{}
	if len(texts) == 0 {
		return wrong
	}
	ctx := context.Background() // no file and no network: milliseconds
	db, err := Open(ctx, Limits{Threads: 1}, nil, nil)
	for name, text := range texts {
		if err == nil {
			wrong[name] = db.expression(ctx, text)
		} else {
			wrong[name] = err
		}
	}
	if err == nil {
		_ = db.Close() // it held nothing
	}
	maps.DeleteFunc(wrong, func(_ string, err error) bool { return err == nil })
	return wrong
}

// expression looks at the text alone, then between two others: what closes a bracket
// that it has not opened makes more or fewer than three.
func (d *DB) expression(ctx context.Context, text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("nothing stands there")
	}
	const ask = `SELECT coalesce(j->>'error_message', ''), coalesce(json_array_length(j->'statements'->0->'node'->'select_list'), 0),
		coalesce(json_array_length(j->'statements'), 0) FROM (SELECT json_serialize_sql(?::varchar)::json AS j)`
	var why string
	var columns, statements int
	if err := d.db.QueryRowContext(ctx, ask, "SELECT 1, ("+text+"\n), 2").Scan(&why, &columns, &statements); err != nil {
		return err
	}
	if why != "" {
		return errors.New(why)
	}
	if columns != 3 || statements != 1 {
		return errors.New("more or less than one")
	}
	return nil
}
