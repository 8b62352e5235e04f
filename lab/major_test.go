package lab_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"upkeep/lab"
)

// TestOtherMajorsAreStartedWhereInstalled takes what is there: Debian has one, the
// others come with lab/install --postgres.
func TestOtherMajorsAreStartedWhereInstalled(t *testing.T) {
	started := 0
	for _, major := range []int{15, 16, 17, 18} {
		if lab.Find(fmt.Sprintf("postgres %d", major)) != nil {
			continue
		}
		s := lab.Postgres(t, lab.Options{Major: major})
		conn, err := pgx.Connect(t.Context(), s.DSN("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		var number int
		if err := conn.QueryRow(t.Context(), "select current_setting('server_version_num')::int/10000").Scan(&number); err != nil || number != major {
			t.Errorf("version %d, %v; want %d", number, err, major)
		}
		started++
	}
	if started == 0 {
		lab.Need(t, "postgres")
	}
}
