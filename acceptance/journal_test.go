package acceptance

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/internal/database"
)

// What somebody who means harm would do to the journal's file, triggers first.
const disarm = `
	DROP TRIGGER IF EXISTS records_are_not_changed;
	DROP TRIGGER IF EXISTS records_are_not_deleted;`

// alter FILE SEQ: changes one record of a journal and leaves its hash alone.
func alter(ts *testscript.TestScript, _ bool, args []string) {
	harm(ts, args, "UPDATE records SET body = replace(body, '0', '1') WHERE seq = ?")
}

// cut FILE SEQ: removes this record of a journal and all after it.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	harm(ts, args, "DELETE FROM records WHERE seq >= ?")
}

func harm(ts *testscript.TestScript, args []string, statement string) {
	if len(args) != 2 {
		ts.Fatalf("usage: alter|cut FILE SEQ")
	}
	seq, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx := context.Background()
	db, err := database.Open(ctx, ts.MkAbs(args[0]), nil)
	ts.Check(err)
	defer db.Close()
	_, err = db.ExecContext(ctx, disarm)
	ts.Check(err)
	done, err := db.ExecContext(ctx, statement, seq)
	ts.Check(err)
	if n := changed(done); n == 0 {
		ts.Fatalf("record %d of %s: nothing was changed", seq, args[0])
	}
}

func changed(r sql.Result) int64 {
	n, err := r.RowsAffected()
	if err != nil {
		return 0
	}
	return n
}
