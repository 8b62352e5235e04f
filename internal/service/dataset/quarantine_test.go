package dataset

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// spoilt is the store of tests with increments that nobody can read, all an hour old: a
// torn one, one whose second row group is garbled, a whole one.
func spoilt(t *testing.T) *lain {
	t.Helper()
	l := tests(t)
	table := l.cfg.Tables["tests"]
	table.Increments.QuarantineAfter = quantity.Duration(10 * time.Minute)
	l.cfg.Tables["tests"] = table
	l.parquet("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 1000 + i AS id, '2025-08-20' AS day, (hash(i) % 1000)::INTEGER AS score FROM range(4096) t(i)")
	l.garble("incremental/d.parquet")
	for _, name := range []string{"a", "b", "c", "d"} {
		l.aged("incremental/"+name+".parquet", time.Hour)
	}
	return l
}

func (l *lain) aged(name string, by time.Duration) {
	l.t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(l.dir, name), at, at); err != nil {
		l.t.Fatal(err)
	}
}

// garble overwrites bytes in the middle of the last row group.
func (l *lain) garble(name string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.t.Fatal(err)
	}
	at := len(text) * 6 / 10
	copy(text[at:], bytes.Repeat([]byte{0xff}, 200))
	l.write(name, string(text))
}

func ops(steps []service.Step) (all []string) {
	for _, s := range steps {
		all = append(all, s.ID)
	}
	return all
}

// What nobody can read is moved aside with its bytes as they are, the rest is merged; undo
// brings it back to its name.
func TestQuarantine(t *testing.T) {
	l := spoilt(t)
	was, err := os.ReadFile(filepath.Join(l.dir, "incremental/c.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	steps, done := l.curated(service.Merge)
	if got := fmt.Sprint(ops(steps)); got != "[unite tests quarantine incremental/c.parquet quarantine incremental/d.parquet]" {
		t.Fatalf("planned %s", got)
	}
	l.equal(merged())
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 2 {
		t.Errorf("left %v, %v", left, err)
	}
	kept, err := l.instance().inQuarantine()
	if err != nil || len(kept) != 2 || cameFrom(kept[0]) != "incremental/c.parquet" {
		t.Fatalf("in quarantine are %v, %v", kept, err)
	}
	if is, err := os.ReadFile(filepath.Join(l.dir, kept[0])); err != nil || !bytes.Equal(is, was) {
		t.Errorf("it holds %q, %v", is, err)
	}
	v, err := l.instance().Check(t.Context())
	if i := slices.IndexFunc(v.Findings, func(f service.Finding) bool { return f.ID == "dataset.quarantined" }); err != nil || i < 0 || v.Findings[i].Args["n"] != 2 {
		t.Errorf("a check finds %v, %v", v.Findings, err)
	}
	again, err := l.instance().Do(t.Context(), steps[1], service.Report{})
	if err != nil || string(again.Result) != string(done[1].Result) {
		t.Errorf("done again %s, %v; first %s", again.Result, err, done[1].Result)
	}
	if more, _ := l.curated(service.Merge); len(more) > 0 {
		t.Errorf("planned again %v", ops(more))
	}
	l.undone(steps[1], done[1])
	l.undone(steps[2], done[2])
	if left, err := filepath.Glob(filepath.Join(l.dir, "incremental", "*")); err != nil || len(left) != 4 {
		t.Errorf("back are %v, %v", left, err)
	}
}

// One that was written to a moment ago, that somebody has open to write, or that was gone on
// with since the plan stays where it is; so does one of another form.
func TestWhatIsNotQuarantined(t *testing.T) {
	for name, change := range map[string]func(*lain){
		"fresh": func(l *lain) { l.aged("incremental/c.parquet", time.Minute) },
		"open": func(l *lain) {
			file, err := os.OpenFile(filepath.Join(l.dir, "incremental/c.parquet"), os.O_WRONLY, 0)
			if err != nil {
				l.t.Fatal(err)
			}
			l.t.Cleanup(func() { _ = file.Close() })
		},
		"of another form": func(l *lain) {
			l.parquet("incremental/c.parquet", "SELECT 1 AS other")
			l.aged("incremental/c.parquet", time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := spoilt(t)
			change(l)
			if _, steps := l.planned(service.Merge); strings.Contains(fmt.Sprint(ops(steps)), "c.parquet") {
				t.Errorf("planned %v", ops(steps))
			}
		})
	}
	l := spoilt(t)
	in, steps := l.planned(service.Merge)
	l.write("incremental/c.parquet", "PAR1 torn, and longer PAR1")
	out, err := in.Do(t.Context(), steps[1], service.Report{})
	if kept, lost := in.inQuarantine(); err != nil || len(out.Verdict.Findings) > 0 || len(kept) > 0 || lost != nil {
		t.Errorf("%v, %v; in quarantine %v", out.Verdict, err, kept)
	}
}

// What can be read of a file in quarantine becomes an increment again, which a merge takes
// in; undo puts both back.
func TestRescue(t *testing.T) {
	l := spoilt(t)
	l.parquetAs("incremental/d.parquet", "SELECT 'qwen' AS model, 0.8 AS rate, 1000 + i AS id, '2025-08-20' AS day, (hash(i) % 1000)::INTEGER AS score FROM range(8192) t(i)", "ROW_GROUP_SIZE 2048")
	l.garble("incremental/d.parquet")
	l.aged("incremental/d.parquet", time.Hour)
	l.curated(service.Merge)
	steps, done := l.curated(service.Repair)
	if len(steps) != 2 || steps[0].Op != opRefuse || steps[1].Op != opRescue {
		t.Fatalf("planned %v", ops(steps))
	}
	rows := done[1].Verdict.Facts["rows_out"].(int64)
	if lost := done[1].Verdict.Facts["dropped"].(int64); rows == 0 || lost == 0 || rows+lost != 8192 {
		t.Fatalf("%d rows are saved, %d lost", rows, lost)
	}
	again, err := l.instance().Do(t.Context(), steps[1], service.Report{})
	if err != nil || string(again.Result) != string(done[1].Result) {
		t.Errorf("done again %s, %v; first %s", again.Result, err, done[1].Result)
	}
	if kept, err := l.instance().inQuarantine(); err != nil || len(kept) != 1 {
		t.Errorf("in quarantine are %v, %v", kept, err)
	}
	before := len(l.rows())
	united, made := l.curated(service.Merge)
	if n := len(l.rows()); n != before+int(rows) {
		t.Errorf("%d rows after %d and %d", n, before, rows)
	}
	l.undone(united[0], made[0])
	l.undone(steps[1], done[1])
	if kept, err := l.instance().inQuarantine(); err != nil || len(kept) != 2 {
		t.Errorf("back in quarantine are %v, %v", kept, err)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "incremental/d.parquet")); err == nil {
		t.Error("the increment is still there")
	}
}

// A copy holds what is in quarantine, and no restore takes it away.
func TestWhatIsInQuarantineIsCopied(t *testing.T) {
	l := spoilt(t)
	l.curated(service.Merge)
	in := l.instance()
	cfg, _, err := in.declare(t.Context(), in.dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := in.members(cfg)
	if err != nil || !slices.ContainsFunc(list, func(m member) bool { return strings.HasPrefix(m.name, quarantineIn+"/") }) {
		t.Errorf("members are %v, %v", list, err)
	}
}
