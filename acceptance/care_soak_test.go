package acceptance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/tables"
	"upkeep/lab"
	"upkeep/lab/results"
)

// tended is one work on a store with faults, and what it makes of both files.
type tended struct {
	name   string
	verb   string
	flags  []string
	shape  results.Shape
	faults []string
}

// cares are the works that write a file anew from what lies there alone.
func cares() []tended {
	return []tended{
		{"dedup", "dedup", nil, results.Shape{Parquet: "A", Rows: 3000, Models: 2}, []string{"duplicate-rows"}},
		{"repair", "repair", nil, results.Shape{Models: 2}, []string{"stale-rates", "summary-zero", "model-total-off"}},
		{"convert", "convert", nil, results.Shape{Models: 2}, []string{"counts-disagree", "duplicate-rows", "null-keys"}},
		{"convert back", "convert", []string{"--to", "leaves"}, results.Shape{Models: 2}, []string{"vanished-model", "summary-zero"}},
		{"convert into nothing", "convert", nil, results.Shape{Models: 2}, nil},
	}
}

// killsOfEach is how often each work is killed.
func killsOfEach() int {
	if n, err := strconv.Atoi(os.Getenv("UPKEEP_SOAK_KILLS")); err == nil {
		return n
	}
	if soaking() {
		return 100
	}
	return 1
}

// pair is both files of a store.
type pair [2][]byte

func (m *merging) pair() (p pair) {
	m.t.Helper()
	for i, path := range m.paths() {
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			m.t.Fatal(err)
		}
		p[i] = content
	}
	return p
}

func (m *merging) paths() [2]string {
	return [2]string{m.main(), filepath.Join(m.store, "pilot_bench_cumulative_results", "master_database.json")}
}

// putBack gives both files content, as programs do that save; without content there is none.
func (m *merging) putBack(p pair) {
	m.t.Helper()
	err := os.RemoveAll(filepath.Join(m.store, ".upkeep"))
	for i, path := range m.paths() {
		if p[i] == nil {
			err = errors.Join(err, os.Remove(path))
			continue
		}
		err = errors.Join(err, os.WriteFile(path+".tmp", p[i], 0o600), os.Rename(path+".tmp", path))
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// known names what lies in both files: rows of the Parquet file whatever their order, the
// document by its bytes.
func (m *merging) known() (is [2]string) {
	m.t.Helper()
	for i, path := range m.paths() {
		content, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			is[i] = "none"
		case err != nil:
			m.t.Fatal(err)
		case i == 0:
			is[i] = m.content(path)
		default:
			is[i] = string(content)
		}
	}
	return is
}

// wholeOf wants every file to be as it was or as it will be.
func (m *merging) wholeOf(before, after [2]string) (changed int) {
	m.t.Helper()
	for i, is := range m.known() {
		if is != before[i] && is != after[i] {
			m.t.Errorf("%s is neither as it was nor as it will be: %.200s", m.paths()[i], is)
		}
		if is == after[i] && is != before[i] {
			changed++
		}
	}
	return changed
}

// TestSoakCareKilledAtAnyTime kills works at moments drawn by chance, again while they
// resume: each file is as it was or as it will be, and finishing gives what an undisturbed run
// gave, which can be taken back.
func TestSoakCareKilledAtAnyTime(t *testing.T) {
	for _, c := range cares() {
		t.Run(c.name, func(t *testing.T) { c.killed(t, newStore(t, "", benchStore, c.shape)) })
	}
}

func (c tended) killed(t *testing.T, m *merging) {
	for _, fault := range c.faults {
		if _, err := results.Break(m.store, fault); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.faults) == 0 {
		if err := os.Remove(m.main()); err != nil {
			t.Fatal(err)
		}
	}
	start, before := m.pair(), m.known()
	p := m.measured(c.verb, c.flags...)
	m.until(c.verb, c.flags...)
	after := m.known()
	if before == after {
		t.Fatal("the work changes nothing")
	}
	cut, done, resumed, ends := 0, 0, 0, map[string]int{}
	for i := range killsOfEach() {
		m.putBack(start)
		a := m.cut(p, append([]string{"data", c.verb, "results", "--yes"}, c.flags...)...)
		m.passable(c.verb, a)
		ends[a.how()]++
		if a.code == -1 {
			cut++
		}
		done += min(1, m.wholeOf(before, after))
		resumed += c.finish(m, p, before, after, i)
		if now := m.known(); now != after {
			t.Errorf("it ended with other content: %.200s", fmt.Sprint(now))
		}
		m.tidy()
	}
	m.must("audit-log", "verify")
	t.Logf("%s killed at any time: %d of %d were cut, after %d of all a file was new already, %d resumed; a whole one took %s, %s from its draft on; %v",
		c.name, cut, killsOfEach(), done, resumed, p.whole, p.last, ends)
}

// finish resumes what is open, sometimes killed again, and does what is left; every third
// time what was done last is taken back and done again.
func (c tended) finish(m *merging, p pace, before, after [2]string, i int) (resumed int) {
	m.t.Helper()
	if open := m.open(); open != "" {
		resumed = 1
		if i%4 == 0 {
			m.passable("resume", m.cut(pace{p.last, p.last}, "run", "--resume", open))
			m.wholeOf(before, after)
		}
		m.resumed(open)
	}
	last := m.until(c.verb, c.flags...)
	if i%3 == 0 && last != "" {
		m.must("undo", last, "--yes")
		m.wholeOf(before, after)
		m.until(c.verb, c.flags...)
	}
	return resumed
}

// TestSoakCareOfAFileThatIsReplaced: a program saves the Parquet file, with faults as ever,
// at any moment of a work. What it saved last is what the work is done on in the end.
func TestSoakCareOfAFileThatIsReplaced(t *testing.T) {
	for _, c := range []struct{ verb, fault string }{
		{"repair", "SELECT * REPLACE (0.123::DOUBLE AS success_rate, 'soak_%d' AS last_updated) FROM MAIN"},
		{"convert", "SELECT * REPLACE (total + 1 AS total, failed + 1 AS failed, 'soak_%d' AS last_updated) FROM MAIN"},
	} {
		t.Run(c.verb, func(t *testing.T) {
			m, n := newStore(t, "", benchStore, results.Shape{Models: 2}), max(1, killsOfEach()/2)
			m.rewrite(fmt.Sprintf(c.fault, -1))
			length, ends := m.measured(c.verb).whole, map[string]int{}
			for i := range n {
				m.rewrite(fmt.Sprintf(c.fault, i))
				end := m.begin("data", c.verb, "results", "--yes")
				time.Sleep(m.moment(length))
				m.rewrite(fmt.Sprintf(c.fault, n+i))
				a := end(0)
				m.passable(c.verb, a)
				ends[a.how()]++
				m.until(c.verb)
				m.asked("SELECT count(*), count(*) FILTER (WHERE last_updated <> 'soak_"+strconv.Itoa(n+i)+"') FROM "+tables.From(tables.Parquet, m.main()), func(row tables.Row) {
					if row.Values[0] != int64(160) || row.Values[1] != int64(0) {
						t.Errorf("of %v rows %v are not those that were saved last", row.Values...)
					}
				})
				m.tidy()
			}
			if v := m.must("data", "diagnose", "results"); v.Get("targets.0.verdict").String() != "ok" && c.verb == "convert" {
				t.Errorf("in the end: %s", v.Raw)
			}
			t.Logf("%s of a file that was replaced %d times: %v", c.verb, n, ends)
		})
	}
}

// TestCareOnAFullDisk lets the disk run full at every write: both files stay, it is said
// why, nothing is left behind.
func TestCareOnAFullDisk(t *testing.T) {
	disk := lab.SmallDisk(t, 16<<20)
	for _, c := range cares() {
		if c.verb == "dedup" || len(c.faults) == 0 && !soaking() { // the first is one of TestMergeOnAFullDisk
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			m := newStore(t, filepath.Join(disk, strings.ReplaceAll(c.name, " ", "-")), benchStore, c.shape)
			c.fullDisk(m, disk)
		})
	}
}

// more is how much room is left beside the last try: the Parquet file is written once, the
// document twice.
func (c tended) more(before pair) int64 {
	if len(c.flags) > 0 || c.verb == "repair" {
		return int64(len(before[1]))/2 + 4096
	}
	return 6 << 10
}

func (c tended) fullDisk(m *merging, disk string) {
	m.t.Helper()
	for _, fault := range c.faults {
		if _, err := results.Break(m.store, fault); err != nil {
			m.t.Fatal(err)
		}
	}
	if len(c.faults) == 0 {
		if err := os.Remove(m.main()); err != nil {
			m.t.Fatal(err)
		}
	}
	failed, before := 0, m.pair()
	for room := int64(0); ; room += c.more(before) {
		free := lab.FillDisk(m.t.(*testing.T), disk)
		filler, err := os.Stat(filepath.Join(disk, "filler"))
		if err == nil {
			err = os.Truncate(filepath.Join(disk, "filler"), filler.Size()-room)
		}
		if err != nil {
			m.t.Fatal(err)
		}
		a := m.begin(append([]string{"data", c.verb, "results", "--yes"}, c.flags...)...)(0)
		free()
		m.tidy()
		if a.code == 0 {
			break
		}
		failed++
		now := m.pair()
		same := slices.EqualFunc(now[:], before[:], bytes.Equal)
		if a.problem() != "dataset.no-space" || !same && c.verb != "repair" { // a repair has a step per file: one may be done
			m.t.Fatalf("%s with %d bytes free exited with %d, unchanged %t:\n%s", c.name, room, a.code, same, a.out.Raw)
		}
	}
	if failed < 2 {
		m.t.Errorf("%s failed only %d times", c.name, failed)
	}
}
