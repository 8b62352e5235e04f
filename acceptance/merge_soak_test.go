package acceptance

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"upkeep/internal/tables"
	"upkeep/lab"
	"upkeep/lab/results"
)

// merging is a results store of one row per test that programs write into.
type merging struct {
	*system
	store  string
	random *rand.Rand
	had    map[string]int // test_ids that it had before any merge, each once
}

// newMerging makes a store below dir and declares it.
func newMerging(t *testing.T, dir, declared string) *merging {
	t.Helper()
	m := newStore(t, dir, declared, results.Shape{Parquet: "A", Rows: 3000, Models: 2, Increments: 3, IncrementRows: 100})
	m.had = m.tests(m.main(), m.increments())
	for id := range m.had {
		m.had[id] = 1
	}
	return m
}

func newStore(t *testing.T, dir, declared string, shape results.Shape) *merging {
	t.Helper()
	m := &merging{system: &system{t: t, dir: t.TempDir()}, store: dir, random: rand.New(rand.NewPCG(uint64(os.Getpid()), 7))}
	if dir == "" {
		m.store = m.path("store")
	}
	if _, err := results.Make(t.Context(), m.store, shape); err != nil {
		t.Fatal(err)
	}
	m.write("upkeep.yaml", "system: soak\nstate: state\nservices:\n  results: "+strings.ReplaceAll(declared, "DIR", m.store)+"\n")
	return m
}

const benchStore = `{kind: pilotbench, dir: "DIR"}`

func (m *merging) parquet(name string) string {
	return filepath.Join(m.store, "pilot_bench_parquet_data", name)
}

func (m *merging) main() string { return m.parquet("test_results.parquet") }

func (m *merging) increments() string { return m.parquet("incremental/increment_*.parquet") }

// tests counts the test_ids in files that nobody writes into.
func (m *merging) tests(files ...string) map[string]int {
	m.t.Helper()
	all := map[string]int{}
	m.asked("SELECT test_id FROM "+tables.From(tables.Parquet, files...), func(row tables.Row) {
		id, _ := row.Values[0].(string)
		all[id]++
	})
	return all
}

// content is every row of a file, as two numbers.
func (m *merging) content(file string) (is string) {
	m.t.Helper()
	m.asked("SELECT count(*), sum(hash(f)) FROM "+tables.From(tables.Parquet, file)+" f", func(row tables.Row) { is = fmt.Sprint(row.Values...) })
	return is
}

func (m *merging) asked(question string, each func(tables.Row)) {
	m.t.Helper()
	db, err := tables.Open(m.t.Context(), tables.Limits{}, nil, []string{m.store})
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // it was only read
	for row, err := range db.Rows(m.t.Context(), question) {
		if err != nil {
			m.t.Fatal(err)
		}
		each(row)
	}
}

// rewrite makes the main file anew and renames it into place, as a writer does that
// knows nothing of what upkeep has noted in it.
func (m *merging) rewrite(query string) {
	m.t.Helper()
	m.remade(m.main(), query)
}

// remade puts the answer of a query in the place of a file, whose rows it calls MAIN. Writers
// read a file that they have opened once; DuckDB opens it anew for each of its steps, so it
// gets a copy.
func (m *merging) remade(path, query string) {
	m.t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		m.t.Fatal(err)
	}
	copied, temp := path+".read.tmp", path+".made.tmp"
	if err := os.WriteFile(copied, content, 0o600); err != nil {
		m.t.Fatal(err)
	}
	db, err := tables.Open(m.t.Context(), tables.Limits{}, nil, []string{m.store})
	if err != nil {
		m.t.Fatal(err)
	}
	query = strings.ReplaceAll(query, "MAIN", tables.From(tables.Parquet, copied))
	err = db.Do(m.t.Context(), "COPY ("+query+") TO "+tables.Text(temp)+" (FORMAT parquet)")
	if err := errors.Join(err, db.Close(), os.Remove(copied), os.Rename(temp, path)); err != nil {
		m.t.Fatal(err)
	}
}

// answer is how a program ended.
type answer struct {
	code int // -1 = killed
	out  gjson.Result
	errs string
}

// begin starts upkeep; what it returns waits for it, and kills it after a while unless that is 0.
func (m *merging) begin(args ...string) (end func(after time.Duration) answer) {
	m.t.Helper()
	var out, errs bytes.Buffer
	cmd := m.command(append(args, "--json")...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	return func(after time.Duration) answer {
		m.t.Helper()
		if after > 0 {
			defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop() // it may have ended
		}
		err := cmd.Wait()
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			m.t.Fatal(err)
		}
		a := answer{cmd.ProcessState.ExitCode(), gjson.ParseBytes(out.Bytes()), errs.String()}
		if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			a.code = -1
		}
		return a
	}
}

// problem is the ID of what went wrong, of the run or of its target.
func (a answer) problem() string {
	for _, at := range []string{"error.id", "targets.0.error.id"} {
		if id := a.out.Get(at).String(); id != "" {
			return id
		}
	}
	return ""
}

// how names the end of a program.
func (a answer) how() string {
	switch {
	case a.code < 0:
		return "killed"
	case a.code > 0:
		return a.problem()
	case a.out.Get("run").String() == "":
		return "nothing due"
	}
	return "done"
}

// passable fails unless a run was done or killed, or refused for what others did meanwhile.
func (m *merging) passable(what string, a answer) {
	m.t.Helper()
	meanwhile := []string{"error.stale", "error.locked", "error.busy", "error.refused"}
	if a.code > 0 && (a.code != 6 || !slices.Contains(meanwhile, a.problem())) {
		m.t.Errorf("%s exited with %d:\n%s%s", what, a.code, a.out.Raw, a.errs)
	}
}

// until does a work until none of it is left, and returns the last run that did any.
func (m *merging) until(work string, more ...string) (last string) {
	m.t.Helper()
	for range 20 {
		a := m.begin(append([]string{"data", work, "results", "--yes"}, more...)...)(0)
		m.passable(work, a)
		run := a.out.Get("run").String()
		if a.code == 0 && run == "" {
			return last
		}
		if a.code == 0 {
			last = run
		}
	}
	m.t.Fatalf("%s finds something to do for ever", work)
	return ""
}

// exactly wants every test in the main file, once.
func (m *merging) exactly(want map[string]int) {
	m.t.Helper()
	have := m.tests(m.main())
	var lost, doubled, foreign []string
	for id := range want {
		if have[id] == 0 {
			lost = append(lost, id)
		}
	}
	for id, n := range have {
		if n > 1 {
			doubled = append(doubled, id)
		}
		if want[id] == 0 {
			foreign = append(foreign, id)
		}
	}
	if len(lost)+len(doubled)+len(foreign) > 0 {
		m.t.Errorf("of %d tests %d are lost, %d doubled, %d are nobody's: %.300s", len(want), len(lost), len(doubled), len(foreign), fmt.Sprint(lost, doubled, foreign))
	}
}

// tidy wants no draft beside the tables.
func (m *merging) tidy() {
	m.t.Helper()
	if left := m.drafts(); len(left) > 0 {
		m.t.Errorf("left: %v", left)
	}
}

func (m *merging) drafts() []string {
	m.t.Helper()
	found, err := filepath.Glob(m.parquet("*upkeep-draft*"))
	more, err2 := filepath.Glob(filepath.Join(m.store, "pilot_bench_cumulative_results", ".upkeep-draft*"))
	if err := errors.Join(err, err2); err != nil {
		m.t.Fatal(err)
	}
	return slices.Concat(found, more)
}

// pace is how long a work takes when nobody disturbs it: all of it, and from its draft on.
type pace struct{ whole, last time.Duration }

func (m *merging) measured(work string, more ...string) (p pace) {
	m.t.Helper()
	begun := time.Now()
	end := m.begin(append([]string{"data", work, "results", "--yes"}, more...)...)
	m.drafting(time.Minute)
	drafted := time.Now()
	m.passable(work, end(0))
	return pace{time.Since(begun), time.Since(drafted)}
}

// drafting waits for a draft, which may never come.
func (m *merging) drafting(atMost time.Duration) {
	for begun := time.Now(); len(m.drafts()) == 0 && time.Since(begun) < atMost; {
		time.Sleep(time.Millisecond)
	}
}

// cut kills a program at any moment, every other time at one after its draft has come.
func (m *merging) cut(p pace, args ...string) answer {
	m.t.Helper()
	end, of := m.begin(args...), p.whole
	if m.random.IntN(2) == 0 {
		m.drafting(p.whole)
		of = p.last
	}
	return end(m.moment(of))
}

func (m *merging) moment(of time.Duration) time.Duration {
	return time.Duration(m.random.Int64N(int64(of))) + 1
}

// kills is how often a merge or a dedup is killed.
func kills() int {
	if soaking() {
		return 10 * tries()
	}
	return 2 * tries()
}

// TestSoakMergeKilledAtAnyTime kills merges and dedups at moments drawn by chance, again
// while they resume, while programs write: no test is lost and none is doubled.
func TestSoakMergeKilledAtAnyTime(t *testing.T) {
	m := newMerging(t, "", benchStore)
	w := m.writers()
	p, cut, resumed, left, ends := m.measured("merge"), 0, 0, []string{}, map[string]int{}
	for i := range kills() {
		work := "merge"
		if i%3 == 2 {
			work = "dedup"
			m.rewrite("SELECT * FROM MAIN UNION ALL (SELECT * FROM MAIN LIMIT 500)")
		}
		a := m.cut(p, "data", work, "results", "--yes")
		m.passable(work, a)
		ends[a.how()]++
		if a.code != -1 {
			continue
		}
		cut++
		open := m.open()
		if open == "" {
			continue // killed while it planned, or when all was done
		}
		if m.random.IntN(4) == 0 {
			left = append(left, open)
			continue
		}
		resumed++
		again := m.cut(pace{p.last, p.last}, "run", "--resume", open)
		m.passable("resume", again)
		ends["resume "+again.how()]++
		m.resumed(open)
	}
	for _, id := range left { // later runs have done their work
		m.resumed(id)
	}
	m.settled(w)
	if soaking() && resumed == 0 || m.open() != "" { // of a few tries, chance may cut none
		t.Errorf("%d were resumed, %q is open", resumed, m.open())
	}
	t.Logf("merges killed at any time: %d of %d were cut, %d resumed at once, %d later; a whole one took %s, %s from its draft on; %v", cut, kills(), resumed, len(left), p.whole, p.last, ends)
}

// writers are some that hardly rest and write in place, and some that rest between their batches.
func (m *merging) writers() []*results.Writers {
	return []*results.Writers{
		results.StartWriters(m.t.(*testing.T), m.store, 2, "-json=false", "-pause=300ms"),
		results.StartWriters(m.t.(*testing.T), m.store, 2, "-json=false", "-pause=4s"),
		results.StartWriters(m.t.(*testing.T), m.store, 2, "-json=false", "-pause=3s", "-atomic"),
	}
}

// open is the newest run of data that was begun and has not ended.
func (m *merging) open() string {
	m.t.Helper()
	for _, run := range m.must("runs").Get("runs").Array() {
		if verb := run.Get("verb").String(); slices.Contains([]string{"merge", "dedup", "repair", "convert"}, verb) && run.Get("took_s").Float() == 0 {
			return run.Get("run").String()
		}
	}
	return ""
}

func (m *merging) resumed(id string) {
	m.t.Helper()
	m.passable("resume", m.begin("run", "--resume", id)(0))
}

// settled stops the writers, merges what is left and compares; then it takes the last
// merge back, and does it again.
func (m *merging) settled(all []*results.Writers) {
	m.t.Helper()
	want := maps.Clone(m.had)
	for _, w := range all {
		w.Stop()
		maps.Copy(want, w.Written())
	}
	m.until("merge")
	m.until("dedup")
	m.exactly(want)
	m.rewrite("SELECT * FROM MAIN")
	before := m.content(m.main())
	last := m.until("merge")
	if last == "" {
		m.t.Fatal("a file that holds no notes needs no merge")
	}
	m.exactly(want)
	m.must("undo", last, "--yes")
	if now := m.content(m.main()); now != before {
		m.t.Errorf("undo brought back %s, not %s", now, before)
	}
	m.until("merge")
	m.exactly(want)
	m.tidy()
	m.must("audit-log", "verify")
}

// TestSoakMergeOfAFileThatIsReplaced: a writer replaces the main file, and an increment grows, at
// any moment of a merge.
func TestSoakMergeOfAFileThatIsReplaced(t *testing.T) {
	m := newMerging(t, "", benchStore)
	before := m.content(m.main())
	begun := time.Now()
	first := m.must("data", "merge", "results", "--yes").Get("run").String()
	length, want := time.Since(begun), maps.Clone(m.had)
	m.must("undo", first, "--yes")
	if now := m.content(m.main()); now != before {
		t.Errorf("undo brought back %s, not %s", now, before)
	}
	for i := range kills() {
		end := m.begin("data", "merge", "results", "--yes")
		time.Sleep(m.moment(length))
		id := fmt.Sprintf("soak_test_%d", i)
		if i%2 == 0 {
			m.rewrite(`SELECT * FROM MAIN UNION ALL (SELECT * REPLACE ('` + id + `' AS test_id) FROM MAIN LIMIT 1)`)
		} else {
			m.grow(id)
		}
		want[id] = 1
		m.passable("merge", end(0))
	}
	m.until("merge")
	m.exactly(want)
	m.tidy()
}

// grow adds a row to the first increment, as its writer does.
func (m *merging) grow(id string) {
	m.t.Helper()
	files, err := filepath.Glob(m.increments())
	if err != nil || len(files) == 0 {
		m.t.Fatal(files, err)
	}
	m.remade(files[0], "SELECT * FROM MAIN UNION ALL (SELECT * REPLACE ('"+id+"' AS test_id) FROM MAIN LIMIT 1)")
}

// TestSoakTwoMergesAtOnce: one does the work; the other is refused or finds none.
func TestSoakTwoMergesAtOnce(t *testing.T) {
	m := newMerging(t, "", benchStore)
	for range tries() {
		m.rewrite("SELECT * FROM MAIN LIMIT 2500") // and nothing is noted in it
		want := m.tests(m.main(), m.increments())
		one, other := m.begin("data", "merge", "results", "--yes"), m.begin("data", "merge", "results", "--yes")
		first, second := one(0), other(0)
		m.passable("merge", first)
		m.passable("merge", second)
		if first.code != 0 && second.code != 0 {
			t.Errorf("both were refused:\n%s%s", first.out.Raw, second.out.Raw)
		}
		m.until("merge")
		m.exactly(want)
	}
	m.tidy()
}

// TestMergeOnAFullDisk lets the disk run full at every write of a merge and a dedup: the
// table stays, it is said why, nothing is left behind.
func TestMergeOnAFullDisk(t *testing.T) {
	disk := lab.SmallDisk(t, 16<<20)
	m := newMerging(t, filepath.Join(disk, "store"), benchStore)
	for _, work := range []string{"merge", "dedup"} {
		if work == "dedup" {
			m.rewrite("SELECT * FROM MAIN UNION ALL (SELECT * FROM MAIN LIMIT 500)")
		}
		m.fullDisk(disk, work)
		m.exactly(m.had)
	}
}

// fullDisk leaves a little more room each time, until there is enough.
func (m *merging) fullDisk(disk, work string) {
	m.t.Helper()
	info, err := os.Stat(m.main())
	if err != nil {
		m.t.Fatal(err)
	}
	failed, before := 0, m.content(m.main())
	for room := int64(0); ; room += info.Size()/5 + 4096 {
		free := lab.FillDisk(m.t.(*testing.T), disk)
		filler, err := os.Stat(filepath.Join(disk, "filler"))
		if err == nil {
			err = os.Truncate(filepath.Join(disk, "filler"), filler.Size()-room)
		}
		if err != nil {
			m.t.Fatal(err)
		}
		a := m.begin("data", work, "results", "--yes")(0)
		free()
		m.tidy()
		if a.code == 0 {
			break
		}
		failed++
		now, err := os.Stat(m.main())
		if a.code != 4 || a.problem() != "dataset.no-space" || err != nil || !os.SameFile(info, now) || m.content(m.main()) != before {
			m.t.Fatalf("%s with %d bytes free exited with %d, %v:\n%s", work, room, a.code, err, a.out.Raw)
		}
	}
	if failed < 3 {
		m.t.Errorf("%s failed only %d times", work, failed)
	}
}

// TestMergeWhileAWriterHoldsTheLock: it waits as long as declared, then says who to ask.
func TestMergeWhileAWriterHoldsTheLock(t *testing.T) {
	m := newMerging(t, "", lockedStore)
	m.write("store/lock", "")
	lock, err := os.Open(m.path("store/lock"))
	if err == nil {
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := m.content(m.main())
	a := m.begin("data", "merge", "results", "--yes")(0)
	if a.code != 6 || a.problem() != "dataset.locked" || m.content(m.main()) != before {
		t.Errorf("exit %d:\n%s", a.code, a.out.Raw)
	}
	m.tidy()
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	m.until("merge")
	m.exactly(m.had)
}

const lockedStore = `
    kind: dataset
    dir: "DIR"
    locks: [lock]
    lock_wait: 200ms
    tables:
      results:
        files: [pilot_bench_parquet_data/test_results.parquet]
        columns: {test_id: text}
        key: [test_id]
        increments: {files: ["pilot_bench_parquet_data/incremental/increment_*.parquet"]}
`
