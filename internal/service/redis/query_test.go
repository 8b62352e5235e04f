package redis

import (
	"errors"
	"fmt"
	"testing"

	"upkeep/internal/service"
)

func TestQueries(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	for _, tc := range []struct {
		statement string
		want      string
	}{
		{"DBSIZE", "[[21]]"},
		{"llen 'big list'", "[[4000]]"},
		{"GET string", "[[value]]"},
		{`GET "new\nline 'and' \"quotes\" $(reboot) ` + "`id`" + `"`, "[[x]]"},
		{"GET missing", "[[<nil>]]"},
		{"LRANGE list 0 1", "[[a] [b]]"},
		{"HGETALL 'expiring hash'", "[[a 1]]"},
		{"ZRANGE zset 0 0 WITHSCORES", "[[b -1e+300]]"},
		{"EXISTS string int missing", "[[2]]"},
		{"LRANGE missing 0 -1", "[]"},
		{"OBJECT ENCODING int", "[[int]]"},
		{"XLEN stream", "[[299]]"},
	} {
		rows := [][]any{}
		for row, err := range in.Query(t.Context(), tc.statement) {
			must(t, err)
			rows = append(rows, row.Values)
		}
		if got := fmt.Sprint(rows); got != tc.want {
			t.Errorf("%s gives %s, want %s", tc.statement, got, tc.want)
		}
	}
	for _, refused := range []string{
		"SET a 1", "FLUSHALL", "DEL string", "CONFIG SET maxmemory 1", "EVAL 'return 1' 0", "EVAL_RO 'return 1' 0", "DEBUG SLEEP 1",
		"SHUTDOWN", "BLPOP list 0", "XREAD BLOCK 0 STREAMS s 0", "NOSUCHCOMMAND", "GETDEL string", "SUBSCRIBE x", "OBJECT FREEZE a",
	} {
		for row, err := range in.Query(t.Context(), refused) {
			if !errors.Is(err, service.ErrRefused) {
				t.Errorf("%s gives %v, %v", refused, row, err)
			}
		}
	}
	for _, broken := range []string{"", "GET 'a", `GET "a`, "LLEN string"} {
		for row, err := range in.Query(t.Context(), broken) {
			if err == nil {
				t.Errorf("%q gives %v", broken, row)
			}
		}
	}
	if n := client(t, s, 0).DBSize(t.Context()).Val(); n != 21 {
		t.Errorf("%d keys are left", n)
	}
}
