package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
)

// A document in which Python has written a number that is none is said to be no JSON, with
// place and value; its rows are there, its sums are mended, and the value stays.
func TestADocumentWithANumberThatIsNone(t *testing.T) {
	l := lay(t)
	l.replace(`"success_rate": 0.25`, `"success_rate": NaN`)
	ids, v := l.found()
	if len(ids) != 1 || ids[0] != "no-json-number master.json" {
		t.Fatalf("found %v: %+v", ids, v.Findings)
	}
	f := v.Findings[0]
	if f.Severity != service.Warning || f.Args["value"] != "NaN" || f.Args["way"] != "models/qwen/by_prompt/最优/success_rate" || v.Facts["leaves_tests"] != int64(10) {
		t.Errorf("it says %v, %v", f, v.Facts)
	}
	odd := strings.Replace(master, `"success_rate": 0.25`, `"success_rate": NaN`, 1)
	l.write("master.json", strings.Replace(odd, `"summary": {"total_tests": 10}`, `"summary": {"total_tests": 3}`, 1))
	steps, _ := l.curated(service.Repair)
	text, err := os.ReadFile(filepath.Join(l.dir, "master.json"))
	if len(steps) != 1 || steps[0].Op != opRepair || err != nil || string(text) != odd {
		t.Errorf("planned %v; it holds %s, %v", ops(steps), text, err)
	}
}
