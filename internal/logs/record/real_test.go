package record_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/logs/record"
	"upkeep/lab"
)

// What the real servers write, not what their manuals say.

func TestEveryLineOfARealPostgresIsRead(t *testing.T) {
	lab.Need(t, "postgres")
	s := lab.Postgres(t, lab.Options{})
	conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "SELECT id\nFROM tasks"); err == nil {
		t.Fatal("a table that does not exist was found")
	}
	records := read(t, s.Log(), record.Options{})
	failed := 0
	for _, r := range records {
		if !r.stamped || r.time == "" || r.level == record.None {
			t.Errorf("no time or level: %s", r.raw)
		}
		if r.level == record.Error {
			failed++
			if !strings.HasPrefix(r.message, `relation "tasks" does not exist`) || !strings.Contains(r.more, "STATEMENT:  SELECT id\n\tFROM tasks") {
				t.Errorf("message %q, more %q; want the statement with its error", r.message, r.more)
			}
		}
	}
	if failed != 1 || len(records) < 4 {
		t.Errorf("%d records, %d errors; want several and one", len(records), failed)
	}
}

func TestEveryLineOfARealRedisIsRead(t *testing.T) {
	lab.Need(t, "redis")
	s := lab.Redis(t, lab.Options{Password: "lab"})
	heads := 0
	for _, r := range read(t, s.Log(), record.Options{}) {
		if !strings.Contains(r.raw, ":C ") && !strings.Contains(r.raw, ":M ") {
			continue // the drawing of its name
		}
		heads++
		if !r.stamped || r.time == "" || r.level == record.None {
			t.Errorf("no time or level: %s", r.raw)
		}
	}
	if heads < 4 {
		t.Errorf("%d lines with a head; want several:\n%s", heads, s.Log())
	}
}
