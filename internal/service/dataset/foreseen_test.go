package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
)

// What was compared is not compared again as long as every file is what it was.
func TestAPlanThatIsMadeAgain(t *testing.T) {
	l := tests(t)
	planned := func() any {
		t.Helper()
		steps, err := l.instance().Curate(t.Context(), service.Work{Care: service.Merge})
		if err != nil || len(steps) != 1 {
			t.Fatalf("planned %+v, %v", steps, err)
		}
		return steps[0].Title.Args["after"]
	}
	if after := planned(); after != int64(114) {
		t.Fatalf("%v rows after it", after)
	}
	key := stateOfForeseen + " tests"
	text, err := l.env.State.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.env.State.Set(t.Context(), key, strings.Replace(text, `"after":114`, `"after":7`, 1)); err != nil {
		t.Fatal(err)
	}
	if after := planned(); after != int64(7) {
		t.Errorf("%v rows after it: it was compared again", after)
	}
	later := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(l.dir, "incremental", "a.parquet"), later, later); err != nil {
		t.Fatal(err)
	}
	if after := planned(); after != int64(114) {
		t.Errorf("%v rows after it, although an increment is another one", after)
	}
}
