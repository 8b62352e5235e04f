package seed_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"upkeep/lab"
	"upkeep/lab/seed"
)

func TestFillMakesALivingSystem(t *testing.T) {
	pg, rd := lab.Postgres(t, lab.Options{}), lab.Redis(t, lab.Options{Password: "pw"})
	dir := t.TempDir()
	filled, err := seed.Fill(t.Context(), seed.Places{Postgres: pg.DSN("postgres"), Redis: rd.DSN("0"), Dir: dir}, seed.Seed{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d rows, %d files of %d bytes, %d keys", filled.Total(), filled.Files, filled.Bytes, filled.Keys)
	if filled.Total() < 100_000 {
		t.Errorf("%d rows; want 100,000 or more", filled.Total())
	}
	conn, err := pgx.Connect(t.Context(), pg.DSN(seed.Database))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	t.Run("rows and files agree", func(t *testing.T) { compareFiles(t, conn, dir, filled.Files) })
	t.Run("text is Chinese and English", func(t *testing.T) {
		var chinese, english int
		row := conn.QueryRow(t.Context(), "select count(*) filter (where content ~ '[一-龥]'), count(*) filter (where content ~ '^[ -~]+$') from slices")
		if err := row.Scan(&chinese, &english); err != nil || chinese < 1000 || english < 1000 {
			t.Errorf("%d Chinese, %d English slices, %v", chinese, english, err)
		}
	})
	t.Run("keys of every type, some expire", func(t *testing.T) { compareTypes(t, rd) })
}

func compareFiles(t *testing.T, conn *pgx.Conn, dir string, want int) {
	rows, err := conn.Query(t.Context(), "select file_path, file_hash, size from files")
	if err != nil {
		t.Fatal(err)
	}
	var path, hash string
	var size int64
	tag, err := pgx.ForEachRow(rows, []any{&path, &hash, &size}, func() error {
		content, err := os.ReadFile(filepath.Join(dir, path))
		sum := sha256.Sum256(content)
		if err == nil && (hex.EncodeToString(sum[:]) != hash || int64(len(content)) != size) {
			t.Errorf("%s differs from its row", path)
		}
		return err
	})
	if err != nil || tag.RowsAffected() != int64(want) {
		t.Errorf("%d rows, %v; want %d", tag.RowsAffected(), err, want)
	}
}

func compareTypes(t *testing.T, rd *lab.Server) {
	client := redis.NewClient(&redis.Options{Addr: rd.Addr(), Password: rd.Password})
	defer client.Close()
	for key, want := range map[string]string{"ranking:annotators": "zset", "projects:active": "set", "stats:ocr": "hash", "events:tasks": "stream"} {
		if got := client.Type(t.Context(), key).Val(); got != want {
			t.Errorf("%s is a %s; want %s", key, got, want)
		}
	}
	key := client.RandomKey(t.Context()).Val()
	for key == "" || client.TTL(t.Context(), key).Val() < time.Second {
		key = client.RandomKey(t.Context()).Val() // nine keys in ten expire
	}
}

func TestSameSeedGivesSameRows(t *testing.T) {
	pg := lab.Postgres(t, lab.Options{})
	digests := map[string]bool{}
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for _, random := range []uint64{1, 1, 2} {
		if _, err := seed.Fill(t.Context(), seed.Places{Postgres: pg.DSN("postgres")}, seed.Seed{Rows: 2000, Files: 20, Random: random, Now: now}); err != nil {
			t.Fatal(err)
		}
		digests[digestAndDrop(t, pg)] = true
	}
	if len(digests) != 2 {
		t.Errorf("%d different contents; want 2", len(digests))
	}
}

func digestAndDrop(t *testing.T, pg *lab.Server) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.DSN(seed.Database))
	if err != nil {
		t.Fatal(err)
	}
	var digest string
	err = conn.QueryRow(t.Context(), "select md5(string_agg(t::text, '' order by id)) from cot_candidates t").Scan(&digest)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
	admin, err := pgx.Connect(t.Context(), pg.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	for _, statement := range []string{"drop database " + seed.Database, "drop role " + seed.Owner} {
		if _, err := admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return digest
}
