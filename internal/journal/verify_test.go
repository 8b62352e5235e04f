package journal_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"upkeep/internal/database"
	"upkeep/internal/journal"
)

// raw opens the file as somebody would who goes round the program.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := database.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func tamper(t testing.TB, path string, statements ...string) {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var disarm = []string{
	"DROP TRIGGER records_are_not_changed", "DROP TRIGGER records_are_not_deleted", "DROP TRIGGER records_are_appended",
	"DROP INDEX records_never_fork",
}

// dump returns the rows of a query as text.
func dump(t testing.TB, path, query string) []string {
	t.Helper()
	db := raw(t, path)
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.NullString)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, v := range values {
			line += v.(*sql.NullString).String + "|"
		}
		all = append(all, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func models(t *testing.T, path string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, name := range []string{"runs", "results", "findings", "plans", "notes"} {
		all[name] = dump(t, path, "SELECT * FROM "+name+" ORDER BY 1, 2")
	}
	return all
}

func notes(t testing.TB, j *journal.Journal, n int) {
	t.Helper()
	for i := range n {
		if err := j.Note(t.Context(), "shop", "note", i); err != nil {
			t.Fatal(err)
		}
	}
}

// shift renumbers the records from seq on; one by one, or numbers would collide.
func shift(from, to, by int) []string {
	var all []string
	for seq := from; seq <= to; seq++ {
		at := seq
		if by > 0 {
			at = to + from - seq
		}
		all = append(all, fmt.Sprintf("UPDATE records SET seq = %d WHERE seq = %d", at+by, at))
	}
	return all
}

// forged inserts a record that is sealed as the program would seal it.
func forged(seq int, previous string) string {
	const at, system, kind, body = "2026-11-22T02:00:00Z", "shop", "note", `{"kind":"note","body":"forged"}`
	return fmt.Sprintf("INSERT INTO records VALUES (%d, '%s', '%s', '%s', '', '%s', '%s', '%s')",
		seq, at, system, kind, body, previous, sealed(fmt.Sprint(seq), at, system, kind, "", body, previous))
}

// sealed is the chain's hash, written down a second time as its specification.
func sealed(fields ...string) string {
	h := sha256.New()
	for _, f := range fields {
		binary.Write(h, binary.BigEndian, uint64(len(f)))
		h.Write([]byte(f))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashOf(t *testing.T, path string, seq int) string {
	t.Helper()
	return strings.TrimSuffix(dump(t, path, fmt.Sprintf("SELECT hash FROM records WHERE seq = %d", seq))[0], "|")
}

func TestHashesAreAsSpecified(t *testing.T) {
	j, path := open(t)
	history(t, j)
	n, err := j.Verify(t.Context())
	if err != nil || n != 16 {
		t.Fatalf("%d records, %v", n, err)
	}
	previous := ""
	for _, line := range dump(t, path, "SELECT seq, at, system, kind, run, body, previous, hash FROM records ORDER BY seq") {
		f := strings.Split(strings.TrimSuffix(line, "|"), "|")
		if f[6] != previous || sealed(f[:7]...) != f[7] {
			t.Errorf("record %s does not fit", f[0])
		}
		previous = f[7]
	}
}

func TestTamperingIsNamedAtItsPlace(t *testing.T) {
	const last = 9
	for name, tc := range map[string]struct {
		do   func(t *testing.T, path string) []string
		seq  int64
		what journal.Damage
	}{
		"body changed":            {sqls("UPDATE records SET body = '{}' WHERE seq = 4"), 4, journal.Changed},
		"time changed":            {sqls("UPDATE records SET at = 'x' WHERE seq = 4"), 4, journal.Changed},
		"system changed":          {sqls("UPDATE records SET system = 'x' WHERE seq = 4"), 4, journal.Changed},
		"kind changed":            {sqls("UPDATE records SET kind = 'x' WHERE seq = 4"), 4, journal.Changed},
		"run changed":             {sqls("UPDATE records SET run = 'x' WHERE seq = 4"), 4, journal.Changed},
		"hash changed":            {sqls("UPDATE records SET hash = 'x' WHERE seq = 4"), 4, journal.Changed},
		"link changed":            {sqls("UPDATE records SET previous = 'x' WHERE seq = 4"), 4, journal.Changed},
		"link to an earlier one":  {sqls("UPDATE records SET previous = (SELECT hash FROM records WHERE seq = 1) WHERE seq = 4"), 4, journal.Changed},
		"first changed":           {sqls("UPDATE records SET body = '{}' WHERE seq = 1"), 1, journal.Changed},
		"last changed":            {sqls("UPDATE records SET body = '{}' WHERE seq = 9"), 9, journal.Changed},
		"bytes moved over a seam": {sqls("UPDATE records SET system = 'sho', kind = 'pnote' WHERE seq = 4"), 4, journal.Changed},
		"bodies swapped": {sqls("UPDATE records SET body = '{\"kind\":\"note\",\"body\":4}' WHERE seq = 4",
			"UPDATE records SET body = '{\"kind\":\"note\",\"body\":3}' WHERE seq = 5"), 4, journal.Changed},
		"changed and sealed anew": {resealed, 4, journal.Changed},

		"deleted in the middle": {sqls("DELETE FROM records WHERE seq = 4"), 4, journal.Missing},
		"deleted first":         {sqls("DELETE FROM records WHERE seq = 1"), 1, journal.Missing},
		"several deleted":       {sqls("DELETE FROM records WHERE seq IN (4, 5, 7)"), 4, journal.Missing},
		"deleted, renumbered":   {sqls(append([]string{"DELETE FROM records WHERE seq = 4"}, shift(5, last, -1)...)...), 4, journal.Missing},
		"two deleted, renumbered": {sqls(append([]string{"DELETE FROM records WHERE seq IN (4, 5)"}, shift(6, last, -2)...)...),
			4, journal.Missing},

		"swapped": {sqls("UPDATE records SET seq = 99 WHERE seq = 4", "UPDATE records SET seq = 4 WHERE seq = 5", "UPDATE records SET seq = 5 WHERE seq = 99"),
			4, journal.Moved},
		"swapped far": {sqls("UPDATE records SET seq = 99 WHERE seq = 4", "UPDATE records SET seq = 4 WHERE seq = 8", "UPDATE records SET seq = 8 WHERE seq = 99"),
			4, journal.Moved},
		"moved to the end": {sqls("UPDATE records SET seq = 10 WHERE seq = 4"), 4, journal.Missing},
		"reversed":         {sqls("UPDATE records SET seq = 1000 - seq", "UPDATE records SET seq = seq - 990"), 1, journal.Moved},

		"inserted below 1":     {sqls("INSERT INTO records VALUES (0, '', '', 'note', '', '{}', 'x', 'y')"), 0, journal.Inserted},
		"inserted, any hash":   {sqls(append(shift(4, last, 1), "INSERT INTO records VALUES (4, '', '', 'note', '', '{}', 'x', 'y')")...), 4, journal.Inserted},
		"inserted, good link":  {insertedLinked, 4, journal.Inserted},
		"inserted, good hash":  {inserted(4, 1), 4, journal.Inserted},
		"inserted first":       {inserted(1, 1), 1, journal.Inserted},
		"two inserted":         {inserted(4, 2), 4, journal.Inserted},
		"appended, wrong hash": {sqls("INSERT INTO records VALUES (10, '', '', 'note', '', '{}', 'x', 'y')"), 10, journal.Missing},
	} {
		t.Run(name, func(t *testing.T) {
			j, path := open(t)
			notes(t, j, last)
			tamper(t, path, append(disarm, tc.do(t, path)...)...)
			n, err := j.Verify(t.Context())
			var altered *journal.Altered
			if !errors.As(err, &altered) {
				t.Fatalf("got %v", err)
			}
			if altered.Seq != tc.seq || altered.Damage != tc.what {
				t.Errorf("%d fit; %v; want %s at %d", n, err, tc.what, tc.seq)
			}
		})
	}
}

func sqls(statements ...string) func(*testing.T, string) []string {
	return func(*testing.T, string) []string { return statements }
}

func resealed(t *testing.T, path string) []string {
	return []string{"DELETE FROM records WHERE seq = 4", forged(4, hashOf(t, path, 3))}
}

func insertedLinked(t *testing.T, path string) []string {
	return append(shift(4, 9, 1), "INSERT INTO records VALUES (4, '', '', 'note', '', '{}', '"+hashOf(t, path, 3)+"', 'y')")
}

// inserted puts n records, sealed with good hashes, before the one numbered at.
func inserted(at, n int) func(*testing.T, string) []string {
	return func(t *testing.T, path string) []string {
		previous := ""
		if at > 1 {
			previous = hashOf(t, path, at-1)
		}
		all := shift(at, 9, n)
		for i := range n {
			put := forged(at+i, previous)
			all = append(all, put)
			previous = put[strings.LastIndex(put, ", '")+3 : len(put)-2]
		}
		return all
	}
}

func TestAnAlteredRecordIsDescribed(t *testing.T) {
	j, path := open(t)
	notes(t, j, 3)
	tamper(t, path, append(disarm, "UPDATE records SET body = '{}' WHERE seq = 2")...)
	n, err := j.Verify(t.Context())
	var altered *journal.Altered
	if !errors.As(err, &altered) || n != 1 || altered.Kind != journal.Noted || altered.At.Sub(start).Seconds() != 2 {
		t.Errorf("%d fit, %+v", n, altered)
	}
}

func TestAHeadKeptElsewhereShowsWhatTheChainCannot(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(t *testing.T, path string) []string
		seq  int64
		what journal.Damage
	}{
		"untouched":    {sqls(), 0, ""},
		"grown":        {func(t *testing.T, path string) []string { return []string{forged(10, hashOf(t, path, 9))} }, 0, ""},
		"tail cut off": {sqls("DELETE FROM records WHERE seq > 6"), 7, journal.Missing},
		"last cut off": {sqls("DELETE FROM records WHERE seq = 9"), 9, journal.Missing},
		"emptied":      {sqls("DELETE FROM records"), 1, journal.Missing},
		"last replaced": {func(t *testing.T, path string) []string {
			return []string{"DELETE FROM records WHERE seq = 9", forged(9, hashOf(t, path, 8))}
		}, 9, journal.Changed},
		"all made anew": {func(t *testing.T, path string) []string {
			return append([]string{"DELETE FROM records"}, chain(9)...)
		}, 9, journal.Changed},
		"changed before": {sqls("UPDATE records SET body = '{}' WHERE seq = 2"), 2, journal.Changed},
	} {
		t.Run(name, func(t *testing.T) {
			j, path := open(t)
			must(t, j.VerifyAgainst(t.Context(), journal.Head{})) // of an empty journal
			notes(t, j, 9)
			kept, err := j.Head(t.Context())
			must(t, err)
			tamper(t, path, append(disarm, tc.do(t, path)...)...)
			err = j.VerifyAgainst(t.Context(), kept)
			var altered *journal.Altered
			switch {
			case tc.what == "" && err != nil:
				t.Error(err)
			case tc.what != "" && (!errors.As(err, &altered) || altered.Seq != tc.seq || altered.Damage != tc.what):
				t.Errorf("got %v, want %s at %d", err, tc.what, tc.seq)
			}
		})
	}
}

func chain(n int) []string {
	var all []string
	previous := ""
	for seq := range n {
		put := forged(seq+1, previous)
		all = append(all, put)
		previous = put[strings.LastIndex(put, ", '")+3 : len(put)-2]
	}
	return all
}

func TestRecordsAreGuardedAgainstMistakes(t *testing.T) {
	j, path := open(t)
	notes(t, j, 3)
	db := raw(t, path)
	for _, statement := range []string{
		"UPDATE records SET body = '{}'",
		"DELETE FROM records WHERE seq = 2",
		"REPLACE INTO records VALUES (2, '', '', '', '', '', 'x', 'y')",
		"INSERT INTO records VALUES (9, '', '', '', '', '', 'x', 'y')",
		"INSERT INTO records (at, system, kind, run, body, previous, hash) VALUES ('', '', '', '', '', 'x', 'y')",
		"INSERT INTO records SELECT 4, at, system, kind, run, body, previous, hash FROM records WHERE seq = 2", // a fork
	} {
		if _, err := db.Exec(statement); err == nil {
			t.Errorf("accepted: %s", statement)
		}
	}
	if n, err := j.Verify(t.Context()); err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}

// Any one change of any one cell is found, at that record or, where a link is all
// that tells, right beside it.
func TestNoSingleChangeGoesUnseen(t *testing.T) {
	const last = 6
	columns := []string{"at", "system", "kind", "run", "body", "previous", "hash"}
	rapid.Check(t, func(rt *rapid.T) {
		j, path := open(t)
		defer j.Close()
		notes(t, j, last)
		seq := rapid.IntRange(1, last).Draw(rt, "seq")
		column := rapid.SampledFrom(columns).Draw(rt, "column")
		db := raw(t, path)
		defer db.Close()
		for _, s := range disarm {
			if _, err := db.Exec(s); err != nil {
				rt.Fatal(err)
			}
		}
		value := rapid.StringMatching(`[a-z0-9{}]{0,8}`).Draw(rt, "value")
		if _, err := db.Exec("UPDATE records SET "+column+" = ? || "+column+" || 'x' WHERE seq = ?", value, seq); err != nil {
			rt.Fatal(err)
		}
		n, err := j.Verify(t.Context())
		var altered *journal.Altered
		if !errors.As(err, &altered) || altered.Seq != int64(seq) || n != int64(seq)-1 {
			rt.Fatalf("%s of %d: %d fit, %v", column, seq, n, err)
		}
	})
}
