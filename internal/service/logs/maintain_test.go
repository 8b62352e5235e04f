package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// TestMain lets the test binary be a writer, too (WRITER=hup|deaf FILE PIDFILE), and
// an upkeep that can be killed (CARE=DIR PIDFILE).
func TestMain(m *testing.M) {
	if how := os.Getenv("WRITER"); how != "" {
		logOn(how, os.Args[1], os.Args[2])
	}
	if dir := os.Getenv("CARE"); dir != "" {
		os.Exit(careFor(dir, os.Args[1]))
	}
	os.Exit(m.Run())
}

// careFor does all that is due, as a run of upkeep would.
func careFor(dir, pidfile string) int {
	in, err := open(service.Env{Now: time.Now}, Config{Paths: []string{dir + "/*.log"},
		Rotate: Rotate{Size: 300, Reopen: hup(pidfile)}, CompressAfter: quantity.Duration(100 * time.Millisecond)})
	var steps []service.Step
	if err == nil {
		steps, err = in.Maintenance(context.Background())
	}
	for _, s := range steps {
		if err == nil {
			_, err = in.Do(context.Background(), s, service.Report{})
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// logOn writes numbered lines until the program is ended.
func logOn(how, path, pidfile string) {
	reopen := make(chan os.Signal, 1)
	signal.Notify(reopen, syscall.SIGHUP)
	log := func() *os.File {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
		if err != nil {
			panic(err)
		}
		return f
	}
	f := log()
	if err := os.WriteFile(pidfile, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		panic(err)
	}
	for n := 0; ; n++ {
		select {
		case <-reopen:
			if how == "hup" {
				f.Close()
				f = log()
			}
		case <-time.After(500 * time.Microsecond):
		}
		fmt.Fprintf(f, "line %d\n", n)
	}
}

// writer is such a program.
func writer(t *testing.T, how, path string) (pidfile string, end func()) {
	t.Helper()
	pidfile = filepath.Join(t.TempDir(), "pid")
	cmd := exec.Command(os.Args[0], path, pidfile)
	cmd.Env = append(os.Environ(), "WRITER="+how)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(end)
	until(t, func() bool { _, err := os.Stat(pidfile); return err == nil })
	until(t, func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 100 })
	return pidfile, end
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to that")
		}
	}
}

func opened(t *testing.T, cfg Config) *Instance {
	t.Helper()
	in, err := open(servicetest.Env(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func due(t *testing.T, in *Instance, ops string) []service.Step {
	t.Helper()
	steps, err := in.Maintenance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range steps {
		all = append(all, s.Op)
	}
	if got := strings.Join(all, " "); got != ops {
		t.Fatalf("due is %q, want %q", got, ops)
	}
	return steps
}

func do(t *testing.T, in *Instance, s service.Step) service.Outcome {
	t.Helper()
	o, err := in.Do(t.Context(), s, service.Report{})
	if err != nil {
		t.Fatalf("%s: %v", s.ID, err)
	}
	return o
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// wantLines wants every number once, in the order of the generations.
func wantLines(t *testing.T, in *Instance, log string) {
	t.Helper()
	f := &follower{t: t, in: in, cursors: service.Cursors{}, text: map[string]string{}, breaks: map[string]string{}}
	f.read(0)
	lines := strings.Split(strings.TrimSuffix(f.text[log], "\n"), "\n")
	for i, line := range lines {
		if line != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d of %d is %q", i, len(lines), line)
		}
	}
}

func hup(pidfile string) Reopen { return Reopen{Signal: "HUP", Pidfile: pidfile} }

// TestARotationCutOffAnywhereIsFinished does the operations of a rotation piecemeal:
// after each, upkeep may have been killed, and the same step or a new plan goes on.
func TestARotationCutOffAnywhereIsFinished(t *testing.T) {
	cuts := map[string]func(t *testing.T, tend *tending, planned file){
		"before anything":      func(*testing.T, *tending, file) {},
		"after the empty file": func(t *testing.T, tend *tending, planned file) { cut(t, tend, planned, false) },
		"after the exchange":   func(t *testing.T, tend *tending, planned file) { cut(t, tend, planned, true) },
		"after all but the end": func(t *testing.T, tend *tending, planned file) {
			_, err := tend.rotate(t.Context(), planned)
			must(t, err)
		},
	}
	for name, begin := range cuts {
		for _, again := range []bool{true, false} {
			t.Run(fmt.Sprint(name, map[bool]string{true: ", resumed", false: ", planned anew"}[again]), func(t *testing.T) {
				dir := t.TempDir()
				log := dir + "/app.log"
				pidfile, end := writer(t, "hup", log)
				in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 100, Reopen: hup(pidfile)}})
				step := due(t, in, "rotate")[0]
				var w work
				must(t, json.Unmarshal(step.Args, &w))
				d, err := openDir(dir)
				must(t, err)
				defer d.Close()
				begin(t, &tending{in: in, d: d, verdict: &service.Verdict{}}, w.Files[0])
				if again {
					do(t, in, step)
				} else {
					in.cfg.Rotate.Size = 1 << 40
					steps, err := in.Maintenance(t.Context())
					must(t, err)
					for _, s := range steps {
						do(t, in, s)
					}
					in.cfg.Rotate.Size = 100
				}
				if again || strings.Contains(name, "exchange") || strings.Contains(name, "end") {
					until(t, func() bool { info, err := os.Stat(log); return err == nil && info.Size() > 100 })
				}
				end()
				wantLines(t, in, log)
			})
		}
	}
}

func cut(t *testing.T, tend *tending, planned file, exchanged bool) {
	t.Helper()
	now, err := tend.d.look(string(planned.Name))
	must(t, err)
	to, err := tend.empty(now)
	must(t, err)
	if !exchanged {
		return
	}
	fresh, err := tend.d.look(to)
	must(t, err)
	must(t, tend.exchange(string(planned.Name), to, fresh))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAWriterThatDoesNotListenIsSaidAndLosesNothing(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/app.log"
	pidfile, end := writer(t, "deaf", log)
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 100, Reopen: hup(pidfile)}, CompressAfter: 1})
	step := due(t, in, "rotate")[0]
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if _, err := in.Do(ctx, step, service.Report{}); err == nil {
		t.Error("done, although the writer writes on")
	}
	due(t, in, "reopen") // and no compression
	v, err := in.Check(t.Context())
	if err != nil || len(v.Findings) != 1 || v.Findings[0].ID != "still-written" {
		t.Errorf("%v, %+v", err, v.Findings)
	}
	end()
	wantLines(t, in, log)
}

func TestAWriterWithoutReopenIsRefusedAlsoWhenItCameLater(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/app.log"
	write(t, log, strings.Repeat("line\n", 100))
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 100}})
	step := due(t, in, "rotate")[0]
	_, end := writer(t, "deaf", log)
	if _, err := in.Do(t.Context(), step, service.Report{}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("got %v", err)
	}
	refused := due(t, in, "refuse")[0]
	if by := fmt.Sprint(refused.Title.Args["by"]); !strings.Contains(by, "logs.test") {
		t.Errorf("refused for %s", by)
	}
	if o := do(t, in, refused); len(o.Verdict.Findings) != 1 {
		t.Errorf("%+v", o.Verdict)
	}
	if got := listing(t, dir); got != "app.log" {
		t.Errorf("there is %s", got)
	}
	end()
	due(t, in, "rotate")
}

func TestTwoRotationsInOneSecondReplaceNothing(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/app.log"
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 1}})
	in.env.Now = func() time.Time { return time.Date(2026, 11, 25, 3, 0, 0, 0, time.FixedZone("", 3600)) }
	for i := range 12 {
		write(t, log, fmt.Sprintf("line %d\n", i))
		do(t, in, due(t, in, "rotate")[0])
		time.Sleep(5 * time.Millisecond)
	}
	if got := listing(t, dir); !strings.HasPrefix(got, "app.log app.log-20261125T020000 app.log-20261125T020000.1 ") {
		t.Errorf("there is %s", got)
	}
	wantLines(t, in, log)
}

func TestTwoAtOnceFindTheWorkDone(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/app.log"
	write(t, log, "line 0\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 1}, CompressAfter: 1})
	rotate := due(t, in, "rotate")[0]
	do(t, in, rotate)
	do(t, in, rotate)
	compress := due(t, in, "compress")[0]
	first, second := do(t, in, compress), do(t, in, compress)
	if string(first.Result) != string(second.Result) {
		t.Errorf("first %s, then %s", first.Result, second.Result)
	}
	do(t, in, rotate) // compressed since
	wantLines(t, in, log)
}

// TestACompressionCutOffAnywhereIsFinished leaves what a killed run leaves.
func TestACompressionCutOffAnywhereIsFinished(t *testing.T) {
	for name, left := range map[string]func(t *testing.T, old string){
		"half a file":   func(t *testing.T, old string) { write(t, filepath.Dir(old)+"/"+half(filepath.Base(old)+".gz"), "half") },
		"both files":    func(t *testing.T, old string) { both(t, old) },
		"plain removed": func(t *testing.T, old string) { both(t, old); must(t, os.Remove(old)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old := dir + "/app.log-20261125T020000"
			write(t, old, "line 0\nline 1\n")
			in := opened(t, Config{Paths: []string{dir + "/*.log"}, CompressAfter: 1})
			step := due(t, in, "compress")[0]
			left(t, old)
			wantLines(t, in, dir+"/app.log")
			o := do(t, in, step)
			if got := listing(t, dir); got != "app.log-20261125T020000.gz" {
				t.Errorf("there is %s", got)
			}
			wantLines(t, in, dir+"/app.log")
			back, err := in.Undo(t.Context(), step, o.Result)
			if err != nil || len(back) != 1 {
				t.Fatalf("%v, %v", back, err)
			}
			do(t, in, back[0])
			do(t, in, back[0])
			if text, err := os.ReadFile(old); err != nil || string(text) != "line 0\nline 1\n" {
				t.Errorf("%q, %v", text, err)
			}
			if got := listing(t, dir); got != "app.log-20261125T020000" {
				t.Errorf("there is %s", got)
			}
		})
	}
}

func both(t *testing.T, old string) {
	t.Helper()
	text, err := os.ReadFile(old)
	must(t, err)
	info, err := os.Stat(old)
	must(t, err)
	other := filepath.Join(t.TempDir(), "other")
	write(t, other, string(text))
	must(t, os.Chtimes(other, info.ModTime(), info.ModTime()))
	zip(t, other)
	move(t, other+".gz", old+".gz")
}

func TestAForeignCompressedFileIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	old := dir + "/app.log.1"
	write(t, old, "mine\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, CompressAfter: 1})
	step := due(t, in, "compress")[0]
	write(t, dir+"/other", "another's\n")
	zip(t, dir+"/other")
	move(t, dir+"/other.gz", old+".gz")
	if _, err := in.Do(t.Context(), step, service.Report{}); !errors.Is(err, service.ErrDamaged) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(old); err != nil || string(text) != "mine\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestOnlyRotatedFilesOfDeclaredLogsAreDeleted(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, outside+"/app.log.1", "outside\n")
	stays := []string{"app.log", "app.log.bak", "app.log-yesterday", "app.log.1.orig", "other.txt.1", "-rf", "debug.log.1", "app.log.12345"}
	goes := []string{"app.log.1", "app.log.2.gz", "app.log-20260101", "app.log-20260101T020000", "app.log.2026-01-01_02", "a b\n'\".log.1", "\xff.log.1", "-rf.log.1"}
	for _, name := range append(stays, goes...) {
		write(t, filepath.Join(dir, name), "x\n")
	}
	must(t, os.Symlink(outside+"/app.log.1", dir+"/app.log.7"))
	must(t, os.Symlink(outside, dir+"/app.log.8"))
	must(t, os.Mkdir(dir+"/app.log.9", 0o700))
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Exclude: []string{"debug.log*"}, DeleteAfter: quantity.Duration(time.Hour)})
	in.env.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	steps, err := in.Maintenance(t.Context())
	must(t, err)
	for _, s := range steps {
		if s.Op != opDelete || s.Risk != service.Destructive {
			t.Errorf("%s is %s", s.Op, s.Risk)
		}
		do(t, in, s)
		do(t, in, s)
	}
	for _, name := range append(stays, "app.log.7", "app.log.8", "app.log.9") {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%q has gone", name)
		}
	}
	for _, name := range goes {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%q is still there", name)
		}
	}
	if got := listing(t, outside); got != "app.log.1" {
		t.Errorf("outside there is %q", got)
	}
}

func TestAPatternAsWideAsAllTakesNobodysData(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"report.1", "report-20200101", "app", "app.1"} {
		write(t, filepath.Join(dir, name), "x\n")
	}
	in := opened(t, Config{Paths: []string{dir + "/*"}, DeleteAfter: quantity.Duration(time.Hour)})
	in.env.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	do(t, in, due(t, in, "delete")[0])
	if got := listing(t, dir); got != "app report-20200101 report.1" {
		t.Errorf("there is %s", got)
	}
}

func TestAFileThatChangedSinceThePlanIsNotDeleted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log.1", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, DeleteAfter: 1})
	step := due(t, in, "delete")[0]
	write(t, dir+"/app.log.1", "y\n")
	if _, err := in.Do(t.Context(), step, service.Report{}); !errors.Is(err, service.ErrStale) {
		t.Errorf("got %v", err)
	}
	if got := listing(t, dir); got != "app.log.1" {
		t.Errorf("there is %s", got)
	}
}

func TestWhatIsOpenIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log.1", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, CompressAfter: 1, DeleteAfter: 1})
	step := due(t, in, "compress")[0]
	_, end := writer(t, "deaf", dir+"/app.log.1")
	due(t, in, "")
	if o := do(t, in, step); len(o.Verdict.Findings) != 1 || o.Verdict.Findings[0].ID != "left-open" {
		t.Errorf("%+v", o.Verdict)
	}
	end()
	if got := listing(t, dir); got != "app.log.1" {
		t.Errorf("there is %s", got)
	}
}

func TestAPidFileOfAnotherProgramIsNotSignalled(t *testing.T) {
	dir := t.TempDir()
	log := dir + "/app.log"
	_, _ = writer(t, "deaf", log)
	pidfile := filepath.Join(t.TempDir(), "pid")
	write(t, pidfile, strconv.Itoa(os.Getpid()))
	old := time.Now().Add(-24 * time.Hour * 365)
	must(t, os.Chtimes(pidfile, old, old))
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Size: 1, Reopen: hup(pidfile)}})
	if _, err := in.Do(t.Context(), due(t, in, "rotate")[0], service.Report{}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("got %v", err)
	}
	if got := listing(t, dir); got != "app.log" {
		t.Errorf("there is %s", got)
	}
}

func TestConfigIsHeldToItsRules(t *testing.T) {
	for want, cfg := range map[string]Config{
		"paths":                 {},
		"delete_after":          {Paths: []string{"a"}, CompressAfter: 2, DeleteAfter: 1},
		"keep":                  {Paths: []string{"a"}, Keep: -1},
		"rotate.reopen.signal":  {Paths: []string{"a"}, Rotate: Rotate{Size: 1, Reopen: Reopen{Signal: "KILL", Pidfile: "p"}}},
		"rotate.reopen.pidfile": {Paths: []string{"a"}, Rotate: Rotate{Size: 1, Reopen: Reopen{Signal: "HUP"}}},
		"rotate.reopen.none":    {Paths: []string{"a"}, Rotate: Rotate{Size: 1, Reopen: Reopen{Signal: "HUP", Pidfile: "p", None: true}}},
		"rotate":                {Paths: []string{"a"}, Rotate: Rotate{Reopen: Reopen{None: true}}},
	} {
		if p := cfg.Validate(); len(p) != 1 || p[0].Path != want {
			t.Errorf("%s: %v", want, p)
		}
	}
}

func TestGrowthAndLossShow(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Growth: 1000})
	now := time.Now()
	in.env.Now = func() time.Time { return now }
	wantFindings(t, in, "")
	write(t, dir+"/app.log", strings.Repeat("y", 100))
	now = now.Add(2 * time.Minute)
	wantFindings(t, in, "fast-growth")
	now = now.Add(20 * time.Minute)
	wantFindings(t, in, "")
	must(t, os.Remove(dir+"/app.log"))
	wantFindings(t, in, "vanished")
}

// A directory that is declared as if it were a file is told from a path where nothing is.
func TestADirectoryIsNoLogFile(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string][]string{dir: {dir + "/*.log"}, dir + "/": {dir + "/*.log"}, dir + "/none": nil} {
		v, err := opened(t, Config{Paths: []string{path}}).Check(t.Context())
		must(t, err)
		if len(v.Findings) != 1 || v.Findings[0].ID != "no-match" || !slices.Equal(v.Findings[0].Args["instead"].([]string), want) {
			t.Errorf("%s: %+v", path, v.Findings)
		}
	}
}

func wantFindings(t *testing.T, in *Instance, want string) {
	t.Helper()
	v, err := in.Check(t.Context())
	must(t, err)
	var got []string
	for _, f := range v.Findings {
		got = append(got, f.ID)
	}
	if strings.Join(got, " ") != want {
		t.Errorf("found %v, want %q", got, want)
	}
}

// TestAskingWhoWritesDisturbsNoWriter opens a file for writing again and again while
// the kernel is asked about it.
func TestAskingWhoWritesDisturbsNoWriter(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}})
	f, err := in.find(t.Context())
	must(t, err)
	now := *f.logs[0].current
	enough, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-enough:
				return
			default:
			}
			o, err := os.OpenFile(dir+"/app.log", os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Errorf("open for writing: %v", err)
				return
			}
			o.Close()
		}
	}()
	known := true
	for free, written := 0, 0; (free < 500 || written < 500) && known && !t.Failed(); {
		var w bool
		w, known = in.leased(now)
		switch {
		case w:
			written++
		default:
			free++
		}
	}
	close(enough)
	<-ended
	if !known {
		t.Skip("the file system of this machine's temporary directory has no leases")
	}
}

// TestTheLastLookBeforeRemoving is about who comes after all earlier looks.
func TestTheLastLookBeforeRemoving(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log.1", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}})
	d, err := openDir(dir)
	must(t, err)
	defer d.Close()
	src, now, err := d.open("app.log.1")
	must(t, err)
	defer src.Close()
	tend := &tending{in: in, d: d, verdict: &service.Verdict{}}
	late, err := os.OpenFile(dir+"/app.log.1", os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	if err := tend.drop(t.Context(), src, now); !errors.Is(err, service.ErrChanged) {
		t.Errorf("open for writing: %v", err)
	}
	fmt.Fprintln(late, "y")
	must(t, late.Close())
	if err := tend.drop(t.Context(), src, now); !errors.Is(err, service.ErrChanged) {
		t.Errorf("written: %v", err)
	}
	if got := listing(t, dir); got != "app.log.1" {
		t.Errorf("there is %q", got)
	}
}

func TestALinkIsNotFollowedByWhoeverOpensIt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/secret", "x\n")
	must(t, os.Symlink(dir+"/secret", dir+"/app.log.1"))
	d, err := openDir(dir)
	must(t, err)
	defer d.Close()
	if f, _, err := d.open("app.log.1"); err == nil {
		f.Close()
		t.Error("a link was followed")
	}
	if _, err := d.openAs("app.log.1", os.O_WRONLY, 0); err == nil {
		t.Error("a link was followed for writing")
	}
}

func TestSecretLogsAndLimitsAreJudged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log", strings.Repeat("x", 200))
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Secret: true, Rotate: Rotate{Size: 100}})
	must(t, os.Chmod(dir+"/app.log", 0o644))
	wantFindings(t, in, "exposed over-limit")
	must(t, os.Chmod(dir+"/app.log", 0o640))
	write(t, dir+"/app.log.1", "x\n")
	must(t, os.Chmod(dir+"/app.log.1", 0o604))
	do(t, in, due(t, in, "rotate")[0])
	wantFindings(t, in, "exposed")
	must(t, os.Chmod(dir+"/app.log.1", 0o600))
	wantFindings(t, in, "")
}

// TestAgeIsThatOfTheFile rotates by the time since a file was begun.
func TestAgeIsThatOfTheFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/app.log", "x\n")
	in := opened(t, Config{Paths: []string{dir + "/*.log"}, Rotate: Rotate{Age: quantity.Duration(time.Hour)}})
	due(t, in, "")
	in.env.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	do(t, in, due(t, in, "rotate")[0])
	due(t, in, "") // an empty file is not rotated
}

// TestKilledCareLosesNoLine kills runs at moments drawn by chance while a program
// logs and a reader follows: every line comes once, in order.
func TestKilledCareLosesNoLine(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	pidfile, end := writer(t, "hup", log)
	killed, whole, took := 0, 0, 5*time.Millisecond
	for i := range 100 {
		time.Sleep(rand.N(60 * time.Millisecond)) // some lines, or none
		cmd := exec.Command(os.Args[0], pidfile)
		cmd.Env = append(os.Environ(), "CARE="+dir)
		cmd.Stderr = os.Stderr
		must(t, cmd.Start())
		begun := time.Now()
		mercy := map[bool]time.Duration{true: time.Hour}[i%3 == 0] // for one in three, which shows how long it takes
		timer := time.AfterFunc(mercy+rand.N(took), func() { cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		switch state := cmd.ProcessState.Sys().(syscall.WaitStatus); {
		case state.Signaled():
			killed++
		case err == nil:
			whole, took = whole+1, time.Since(begun)
		default:
			t.Fatalf("care ended with %v", err)
		}
		f.read(i % 3)
	}
	end()
	f.in.env.Now = func() time.Time { return time.Now().Add(time.Hour) }
	f.read(0)
	f.read(0)
	got := listing(t, dir)
	t.Logf("%d killed, %d whole; %d lines in %d files, %d of them compressed", killed, whole, strings.Count(f.text[log], "\n"),
		len(strings.Fields(got)), strings.Count(got, ".gz"))
	if killed == 0 || whole == 0 || !strings.Contains(got, ".gz") {
		t.Errorf("%d killed, %d whole: %s", killed, whole, got)
	}
	if f.breaks[log] != "" {
		t.Errorf("breaks %s", f.breaks[log])
	}
	// The last line of a killed writer may be cut.
	lines := strings.Split(strings.TrimSuffix(f.text[log], "\n"), "\n")
	for i, line := range lines {
		if line != fmt.Sprintf("line %d", i) {
			t.Fatalf("line %d of %d is %q; before %q", i, len(lines), line, lines[max(0, i-2):i])
		}
	}
	f.text[log] = ""
	wantLines(t, f.in, log)
}
