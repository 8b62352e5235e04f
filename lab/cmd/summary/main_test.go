package main

import (
	"strings"
	"testing"
)

func TestSummaryJudgesARun(t *testing.T) {
	pass := `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1}
`
	skip := `{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: redis is missing\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
` + pass
	fail := `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:3: two is not three\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p","Elapsed":1}
`
	broken := `{"ImportPath":"p","Action":"build-output","Output":"p.go:1: undefined: x\n"}
{"ImportPath":"p","Action":"build-fail"}
{"Action":"fail","Package":"p","Elapsed":0}
`
	slow := `{"Action":"pass","Package":"p","Test":"TestD","Elapsed":12.5}
` + pass
	cases := []struct {
		name, in string
		noSkips  bool
		ok       bool
		want     string
	}{
		{"all passed", pass, true, true, "1 tests passed, 0 failed, 0 skipped, 1 packages"},
		{"a skip is shown with its reason", skip, false, true, "SKIP p TestB: b_test.go:9: redis is missing"},
		{"a skip fails where none is allowed", skip, true, false, "count as failed"},
		{"a failure is shown with its output", fail, false, false, "two is not three"},
		{"a package that does not compile fails", broken, false, false, "undefined: x"},
		{"a slow test is named", slow, true, true, "slow   12.5 s  p TestD"},
		{"nothing run is not well", "", false, false, "0 packages"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := summarize(strings.NewReader(c.in), &out, c.noSkips)
			if err != nil || ok != c.ok || !strings.Contains(out.String(), c.want) {
				t.Errorf("ok %v, %v:\n%swant %v and %q", ok, err, out.String(), c.ok, c.want)
			}
		})
	}
}
