package logs

import (
	"bytes"
	"compress/gzip"
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

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// follower reads a declaration again and again, as collection does.
type follower struct {
	t       *testing.T
	in      *Instance
	cursors service.Cursors
	text    map[string]string
	breaks  map[string]string
	blocks  int
}

func follow(t *testing.T, cfg Config) *follower {
	t.Helper()
	env := servicetest.Env(t)
	in, err := open(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &follower{t: t, in: in, cursors: service.Cursors{}, text: map[string]string{}, breaks: map[string]string{}}
}

func followDir(t *testing.T) (*follower, string) {
	dir := t.TempDir()
	return follow(t, Config{Paths: []string{dir + "/*.log"}}), dir
}

// read takes at most so many blocks; 0 is all.
func (f *follower) read(most int) {
	f.t.Helper()
	n := 0
	for block, err := range f.in.Logs(f.t.Context(), maps.Clone(f.cursors)) {
		if err != nil {
			f.t.Fatal(err)
		}
		if len(block.Data) > 0 && block.Data[len(block.Data)-1] != '\n' {
			f.t.Fatalf("a block ends within a line: %q", block.Data[max(0, len(block.Data)-40):])
		}
		f.text[block.Stream] += string(block.Data)
		f.cursors[block.Stream] = block.Next
		if block.Break != "" {
			f.breaks[block.Stream] += block.Break + " "
		}
		f.blocks++
		if n++; n == most {
			return
		}
	}
}

func (f *follower) wants(stream, text, breaks string) {
	f.t.Helper()
	if got := f.text[stream]; got != text {
		f.t.Errorf("%s: got %q, want %q", stream, got, text)
	}
	if got := strings.TrimSpace(f.breaks[stream]); got != breaks {
		f.t.Errorf("%s: breaks %q, want %q", stream, got, breaks)
	}
}

func TestOnlyNewWholeLinesAreRead(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	write(t, log, "one\ntwo\nthr")
	f.read(0)
	f.wants(log, "one\ntwo\n", "")
	write(t, log, "ee\n")
	f.read(0)
	f.wants(log, "one\ntwo\nthree\n", "")
	before := f.blocks
	f.read(0)
	if f.blocks != before {
		t.Errorf("%d blocks although nothing is new", f.blocks-before)
	}
}

func TestARenamedFileIsReadToItsEndFirst(t *testing.T) {
	for name, rotate := range map[string]func(t *testing.T, log string){
		"by us":       func(t *testing.T, log string) { move(t, log, log+"-20261125T020000") },
		"by number":   func(t *testing.T, log string) { move(t, log, log+".1") },
		"and gzipped": func(t *testing.T, log string) { move(t, log, log+".1"); zip(t, log+".1") },
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := followDir(t)
			log := dir + "/app.log"
			write(t, log, "one\ntwo\n")
			f.read(0)
			write(t, log, "three\nfour without an end")
			rotate(t, log)
			f.read(0) // there may be no new file yet
			write(t, log, "five\n")
			f.read(0)
			f.wants(log, "one\ntwo\nthree\nfour without an end\nfive\n", "")
		})
	}
}

func TestGenerationsThatWereNeverReadComeOldestFirst(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	for i, name := range []string{log + ".2", log + ".1", log} {
		write(t, name, fmt.Sprintln("generation", i))
		when := time.Now().Add(time.Duration(i-3) * time.Hour)
		if err := os.Chtimes(name, when, when); err != nil {
			t.Fatal(err)
		}
	}
	zip(t, log+".2")
	f.read(0)
	f.wants(log, "generation 0\ngeneration 1\ngeneration 2\n", "")
}

func TestAFileEmptiedInItsPlaceIsReadFromItsBeginningAndSaysSo(t *testing.T) {
	for name, regrown := range map[string]string{"shorter": "new\n", "longer": strings.Repeat("new and longer\n", 9)} {
		t.Run(name, func(t *testing.T) {
			f, dir := followDir(t)
			log := dir + "/app.log"
			write(t, log, "one\ntwo\nthree\n")
			f.read(0)
			if err := os.Truncate(log, 0); err != nil {
				t.Fatal(err)
			}
			write(t, log, regrown)
			f.read(0)
			f.wants(log, "one\ntwo\nthree\n"+regrown, "truncated")
		})
	}
}

func TestCopyTruncateReadsTheRestFromTheCopy(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	write(t, log, "one\n")
	f.read(0)
	write(t, log, "two\n")
	copied, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	write(t, log+".1", string(copied))
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	write(t, log, "three\n")
	f.read(0)
	f.wants(log, "one\ntwo\nthree\n", "truncated")
}

func TestAFileThatIsNowhereIsLostOnce(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	write(t, log, "one\n")
	f.read(0)
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	f.read(0)
	f.read(0)
	f.wants(log, "one\n", "lost")
	write(t, log, "two\n")
	f.read(0)
	f.wants(log, "one\ntwo\n", "lost")
}

func TestARecycledInodeIsNotTheOldFile(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	recycled := false
	for i := 0; i < 50 && !recycled; i++ {
		write(t, log, fmt.Sprintf("old %d\n", i))
		f.read(0)
		f.breaks, f.text = map[string]string{}, map[string]string{}
		before := inode(t, log)
		zip(t, log)
		move(t, log+".gz", log+".1.gz")
		write(t, log, fmt.Sprintf("new %d, and longer than the old one\n", i))
		recycled = inode(t, log) == before
		f.read(0)
		f.wants(log, fmt.Sprintf("new %d, and longer than the old one\n", i), "")
		if err := os.Remove(log + ".1.gz"); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		f.cursors = service.Cursors{}
	}
	if !recycled {
		t.Skip("this file system gives no inode number twice")
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var s syscall.Stat_t
	if err := syscall.Stat(path, &s); err != nil {
		t.Fatal(err)
	}
	return s.Ino
}

// TestWhatAWriterPutsIntoARotatedFileIsRead is the moment between a rename and the
// writer's reopening: the old file goes on growing.
func TestWhatAWriterPutsIntoARotatedFileIsRead(t *testing.T) {
	for name, quiet := range map[string]time.Duration{"at once": 0, "much later": time.Minute} {
		t.Run(name, func(t *testing.T) {
			f, dir := followDir(t)
			log := dir + "/app.log"
			writer, err := os.OpenFile(log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(writer, "one")
			f.read(0)
			move(t, log, log+".1")
			write(t, log, "three\n")
			f.in.env.Now = func() time.Time { return time.Now().Add(quiet) }
			f.read(0)
			fmt.Fprintln(writer, "two")
			f.read(0)
			writer.Close()
			f.read(0)
			f.read(0)
			want := map[bool]string{true: "one\ntwo\nthree\n", false: "one\nthree\ntwo\n"}[quiet == 0]
			if quiet == 0 {
				f.in.env.Now = func() time.Time { return time.Now().Add(time.Minute) }
				f.read(0)
			}
			f.wants(log, want, "")
		})
	}
}

func TestLongLinesAndBlocks(t *testing.T) {
	f, dir := followDir(t)
	log := dir + "/app.log"
	text := strings.Repeat("x", 3<<20) + "\n" + strings.Repeat("a line of some length\n", 200_000) + strings.Repeat("y", longest+100) + "\nend\n"
	write(t, log, text)
	var got bytes.Buffer
	for block, err := range f.in.Logs(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if len(block.Data) > blockLen && bytes.Count(block.Data, []byte("\n")) > 1 {
			t.Errorf("a block of %d bytes with several lines", len(block.Data))
		}
		got.Write(block.Data)
	}
	if got.String() != text {
		t.Errorf("%d bytes came back of %d", got.Len(), len(text))
	}
}

func TestNamesOfAnyBytes(t *testing.T) {
	f, dir := followDir(t)
	for i, name := range []string{"-rf.log", "two words.log", "new\nline.log", "quote\"'.log", "\xff\xfe.log", "日志.log", `back\slash.log`} {
		path := filepath.Join(dir, name)
		write(t, path, fmt.Sprintln("one", i))
		f.read(0)
		write(t, path, fmt.Sprintln("two", i))
		move(t, path, path+".1")
		write(t, path, fmt.Sprintln("three", i))
		f.read(0)
		f.wants(shown(path), fmt.Sprintf("one %d\ntwo %d\nthree %d\n", i, i, i), "")
	}
}

func TestWhatIsNoRegularFileIsLeftAlone(t *testing.T) {
	f, dir := followDir(t)
	if err := os.Symlink("/etc/passwd", dir+"/link.log"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(dir+"/pipe.log", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/dir.log", 0o700); err != nil {
		t.Fatal(err)
	}
	f.read(0)
	if f.blocks != 0 {
		t.Errorf("read %v", f.text)
	}
	v, err := f.in.Check(t.Context())
	if err != nil || !slices.ContainsFunc(v.Findings, func(g service.Finding) bool { return g.ID == "not-regular" && g.Args["n"] == 2 }) {
		t.Errorf("%v, %+v", err, v.Findings)
	}
}

// TestEveryLineOnceWhateverHappens lets writers, rotations by many hands and
// interrupted readers meet by chance.
func TestEveryLineOnceWhateverHappens(t *testing.T) {
	for seed := range uint64(30) {
		chance := rand.New(rand.NewPCG(seed, 7))
		f, dir := followDir(t)
		log, want, n := dir+"/app.log", "", 0
		f.in.env.Now = func() time.Time { return time.Now().Add(time.Minute) }
		var did []string
		for range 40 {
			switch k := chance.IntN(8); {
			case k < 3:
				for range chance.IntN(5) {
					line := fmt.Sprintf("%d: line %d of this log\n", seed, n)
					n++
					want += line
					write(t, log, line)
				}
				did = append(did, "write")
			case k == 3:
				shift(t, log, chance.IntN(2) == 0)
				did = append(did, "shift")
			case k == 4:
				if _, err := os.Stat(log); err == nil {
					move(t, log, rotatedTo(log, time.Unix(1e9, 0).Add(time.Duration(n)*time.Hour), len(did)))
				}
				did = append(did, "stamp")
			default:
				f.read(chance.IntN(3))
				did = append(did, "read")
			}
			time.Sleep(50 * time.Microsecond)
		}
		f.read(0)
		f.read(0)
		if f.wants(log, want, ""); t.Failed() {
			t.Fatalf("seed %d: %v", seed, did)
		}
	}
}

// shift is what logrotate does.
func shift(t *testing.T, log string, compress bool) {
	t.Helper()
	if _, err := os.Stat(log); err != nil {
		return
	}
	for i := 60; i > 0; i-- {
		for _, gz := range []string{"", ".gz"} {
			from := fmt.Sprintf("%s.%d%s", log, i, gz)
			if _, err := os.Stat(from); err == nil {
				move(t, from, fmt.Sprintf("%s.%d%s", log, i+1, gz))
			}
		}
	}
	move(t, log, log+".1")
	if compress {
		zip(t, log+".1")
	}
}

// zip does what gzip does, and keeps the time as it does.
func zip(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text)
	z.Close()
	write(t, path+".gz", b.String())
	if err := os.Chtimes(path+".gz", info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestRealLogrotate follows a log through the program that most systems rotate with.
func TestRealLogrotate(t *testing.T) {
	lab.Need(t, "root", "logrotate")
	for name, c := range map[string]struct{ rules, breaks string }{
		"numbers":        {"rotate 9\ncompress", ""},
		"delayed":        {"rotate 9\ncompress\ndelaycompress", ""},
		"dates":          {"rotate 9\ndateext\ndateformat -%Y%m%d-%s", ""},
		"new files":      {"rotate 9\ncreate 0640", ""},
		"cut in place":   {"rotate 9\ncopytruncate", "truncated truncated truncated"},
		"cut and packed": {"rotate 9\ncopytruncate\ncompress", "truncated truncated truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			f, dir := followDir(t)
			log, want := dir+"/app.log", ""
			rules, state := filepath.Join(t.TempDir(), "rules"), filepath.Join(t.TempDir(), "state")
			if err := os.WriteFile(rules, []byte(fmt.Sprintf("%q {\nsu root root\n%s\n}\n", log, c.rules)), 0o600); err != nil {
				t.Fatal(err)
			}
			for round := range 3 {
				for part := range 2 {
					line := fmt.Sprintf("round %d, part %d\n", round, part)
					want += line
					write(t, log, line)
					if part == 0 {
						f.read(0)
					}
				}
				time.Sleep(map[bool]time.Duration{true: time.Second, false: 20 * time.Millisecond}[name == "dates"]) // they are to the second
				if out, err := exec.Command("logrotate", "-f", "-s", state, rules).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			f.read(0)
			f.wants(log, want, c.breaks)
		})
	}
}

// A directory that was changed just before is listed once more for one of its streams, and the
// others know by that.
func TestADirectoryIsListedAgainForOneOfItsStreams(t *testing.T) {
	fo, dir := followDir(t)
	for _, name := range []string{"a.log", "a.log.1", "b.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fo.in.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if holds, err := f.holds(d); holds || err != nil {
		t.Fatalf("a change a moment later would not show, and the names are said to hold (%v)", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Rename(filepath.Join(dir, "a.log.1"), filepath.Join(dir, "b.log.1")), os.Chtimes(dir, old, old)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1} {
		r := &reader{in: fo.in, found: f, log: f.logs[i], d: d}
		generations, err := r.named()
		if err != nil || len(generations) != want {
			t.Errorf("%s has %d generations, not %d (%v)", f.logs[i].name, len(generations), want, err)
		}
		if holds, err := f.holds(d); !holds || err != nil {
			t.Errorf("after %s was asked for, the directory is listed again for the next stream (%v)", f.logs[i].name, err)
		}
	}
}
