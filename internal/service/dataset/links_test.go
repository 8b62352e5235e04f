package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/service"
)

// link moves a file out of the store and leaves a link to it.
func (l *lain) link(name string) {
	l.t.Helper()
	path, to := filepath.Join(l.dir, name), filepath.Join(l.t.TempDir(), filepath.Base(name))
	if err := os.Rename(path, to); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Symlink(to, path); err != nil {
		l.t.Fatal(err)
	}
}

// A link is read, and refused in words where it would be replaced.
func TestLinksStay(t *testing.T) {
	l := lay(t)
	l.replace(`"total_tests": 10`, `"total_tests": 11`)
	l.link("master.json")
	l.link("results.parquet")
	l.parquet("incremental/a.parquet", "SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success, 0 AS partial")
	for _, care := range []service.Care{service.Repair, service.Merge, service.Dedup} {
		steps, done := l.curated(care)
		i := slices.IndexFunc(steps, func(s service.Step) bool { return s.Op == opRefuse && s.Title.Args["reason"] == "link" })
		if i < 0 || slices.ContainsFunc(steps, func(s service.Step) bool { return s.Risk != service.ReadOnly }) {
			t.Errorf("%s planned %v", care, ops(steps))
		} else if done[i].Verdict.Findings[0].ID != "dataset.not-mended" {
			t.Errorf("%s says %v", care, done[i].Verdict)
		}
	}
	if info, err := os.Lstat(filepath.Join(l.dir, "master.json")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is %v, %v", info.Mode(), err)
	}
}

// An increment that is a link is taken in by no merge, and a check says so.
func TestAnIncrementThatIsALink(t *testing.T) {
	l := tests(t)
	l.link("incremental/a.parquet")
	l.curated(service.Merge)
	v, err := l.instance().Check(t.Context())
	if err != nil || !slices.ContainsFunc(v.Findings, func(f service.Finding) bool {
		return f.ID == "dataset.increment-linked" && f.Severity == service.Warning && strings.HasSuffix(f.Subject, "a.parquet")
	}) {
		t.Errorf("found %v, %v", v.Findings, err)
	}
}
