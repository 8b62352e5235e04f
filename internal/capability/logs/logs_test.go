package logs_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/logs"
	"upkeep/internal/service"
	"upkeep/lab"
)

// book is a source whose streams are texts in memory; a cursor is an offset.
type book struct {
	streams map[string]string
	order   []string
	read    int // bytes that were given out
	broken  map[string]error
	breaks  map[string]string
}

func (*book) Close() error { return nil }

func (b *book) Logs(_ context.Context, from service.Cursors) iter.Seq2[service.LogBlock, error] {
	return func(yield func(service.LogBlock, error) bool) {
		for _, name := range b.order {
			at, _ := strconv.Atoi(from[name])
			if err := b.broken[name]; err != nil {
				if !yield(service.LogBlock{Stream: name}, err) {
					return
				}
				continue
			}
			for rest := b.streams[name][at:]; len(rest) > 0; {
				n := strings.IndexByte(rest, '\n') + 1
				at += n
				b.read += n
				block := service.LogBlock{Stream: name, Data: []byte(rest[:n]), Next: strconv.Itoa(at), Break: b.breaks[name]}
				if rest = rest[n:]; !yield(block, nil) {
					return
				}
			}
		}
	}
}

// say appends lines to a stream.
func (b *book) say(stream string, lines ...string) {
	if _, known := b.streams[stream]; !known {
		b.order = append(b.order, stream)
	}
	b.streams[stream] += strings.Join(lines, "\n") + "\n"
}

func newBook() *book { return &book{streams: map[string]string{}} }

type desk struct {
	t    *testing.T
	book *book
	dir  string
	now  time.Time
}

func newDesk(t *testing.T) *desk {
	lab.Need(t, "zstd")
	return &desk{t, newBook(), t.TempDir(), time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)}
}

func (d *desk) collect() (service.Verdict, error) {
	c := logs.Collect{Dir: d.dir, Now: func() time.Time { return d.now }}
	out, err := c.Do(d.t.Context(), service.Task{Step: service.Step{Target: "app", Op: "collect"}, Instance: d.book})
	return out.Verdict, err
}

func (d *desk) must() service.Verdict {
	d.t.Helper()
	v, err := d.collect()
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// archived is all that the archive holds of a stream, read by the stock tool.
func (d *desk) archived(stream string) string {
	d.t.Helper()
	files, err := filepath.Glob(filepath.Join(d.dir, "app", "*", stream+".zst"))
	if err != nil {
		d.t.Fatal(err)
	}
	text, err := exec.Command("zstd", append([]string{"-dcq"}, files...)...).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func slugs(v service.Verdict) string {
	var all []string
	for _, f := range v.Findings {
		all = append(all, f.ID+" "+f.Subject)
	}
	return strings.Join(all, ", ")
}

func TestEveryLineIsCollectedOnceAndOnlyNewOnesAreRead(t *testing.T) {
	d := newDesk(t)
	for i := range 1000 {
		d.book.say("web", fmt.Sprintf("2026-11-25 01:00:00 INFO request %d took %d ms", i, i%7))
		d.book.say("worker", fmt.Sprintf("2026-11-25 01:00:00 INFO task %d done", i))
	}
	v := d.must()
	if v.Facts["lines"] != int64(2000) || v.Facts["streams"] != int64(2) {
		t.Errorf("facts %v", v.Facts)
	}
	before := d.book.read
	d.book.say("web", "2026-11-25 02:00:00 INFO request 1000 took 3 ms")
	for range 3 {
		d.now = d.now.Add(24 * time.Hour)
		d.must()
	}
	if d.book.read-before != len("2026-11-25 02:00:00 INFO request 1000 took 3 ms\n") {
		t.Errorf("%d bytes were read for one new line", d.book.read-before)
	}
	for _, stream := range d.book.order {
		if d.archived(stream) != d.book.streams[stream] {
			t.Errorf("the archive of %s differs from what was logged", stream)
		}
	}
}

func TestWhatAKilledCollectionLeftIsReadAgain(t *testing.T) {
	d := newDesk(t)
	d.book.say("web", "one", "two")
	d.must()
	archive, err := logs.OpenArchive(t.Context(), logs.ArchiveOf(d.dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	batch, err := archive.Begin(t.Context(), d.now)
	if err == nil {
		err = batch.Append(t.Context(), "web", []byte("three\n"), "14")
	}
	if err := errors.Join(err, batch.Discard(), archive.Close()); err != nil { // written, and never counted
		t.Fatal(err)
	}
	if !strings.Contains(d.archived("web"), "three") {
		t.Fatal("nothing was left behind")
	}
	d.book.say("web", "three", "four")
	d.must()
	if got := d.archived("web"); got != "one\ntwo\nthree\nfour\n" {
		t.Errorf("archived %q", got)
	}
}

func TestADamagedArchiveIsNotCounted(t *testing.T) {
	d := newDesk(t)
	archive, err := logs.OpenArchive(t.Context(), logs.ArchiveOf(d.dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	batch, err := archive.Begin(t.Context(), d.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Append(t.Context(), "web", []byte(strings.Repeat("a line\n", 100)), "700"); err != nil {
		t.Fatal(err)
	}
	// The other stream ends the frame of the first; then its bytes turn on the disk.
	if err := batch.Append(t.Context(), "worker", []byte("x\n"), "2"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, "app", "2026-11-25", "web.zst")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(t.Context()); !errors.Is(err, service.ErrDamaged) {
		t.Errorf("commit: %v", err)
	}
	if cursors, err := archive.Cursors(t.Context()); err != nil || len(cursors) != 0 {
		t.Errorf("counted all the same: %v, %v", cursors, err)
	}
}

func TestStreamsThatTakeTurns(t *testing.T) {
	d := newDesk(t)
	archive, err := logs.OpenArchive(t.Context(), logs.ArchiveOf(d.dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	batch, err := archive.Begin(t.Context(), d.now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		name := []string{"a", "b"}[i%2]
		if err := batch.Append(t.Context(), name, []byte(fmt.Sprintf("%d\n", i)), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.archived("a") != "0\n2\n4\n" || d.archived("b") != "1\n3\n5\n" {
		t.Errorf("archived %q and %q", d.archived("a"), d.archived("b"))
	}
}

func TestNewAndExplodingTemplatesAreNamed(t *testing.T) {
	d := newDesk(t)
	at := d.now
	usual := func(errors int) {
		for range 60 {
			at = at.Add(time.Minute)
			d.book.say("web", at.Format("2006-01-02 15:04:05")+" INFO request served in 12 ms")
		}
		for range errors {
			d.book.say("web", at.Format("2006-01-02 15:04:05")+" ERROR cannot reach the cache: timeout after 3 s")
		}
	}
	usual(2)
	if v := d.must(); slugs(v) != "" {
		t.Errorf("the first collection has nothing to compare with, but found %s", slugs(v))
	}
	usual(2)
	if v := d.must(); slugs(v) != "" {
		t.Errorf("as usual, but found %s", slugs(v))
	}
	d.book.say("web", at.Format("2006-01-02 15:04:05")+" ERROR disk quota of user 17 exceeded", at.Format("2006-01-02 15:04:05")+" INFO a new kind of good news")
	usual(200)
	v := d.must()
	if got := slugs(v); !strings.Contains(got, "logs.new-template disk quota") || !strings.Contains(got, "logs.exploding-template cannot reach the cache") || len(v.Findings) != 2 {
		t.Errorf("found %s", got)
	}
	if v.Facts["errors"] != int64(201) {
		t.Errorf("facts %v", v.Facts)
	}
}

func TestAStreamThatCannotBeReadDoesNotHideTheOthers(t *testing.T) {
	d := newDesk(t)
	d.book.say("locked", "x")
	d.book.say("web", "one")
	d.book.broken = map[string]error{"locked": service.ErrDenied}
	d.book.breaks = map[string]string{"web": "truncated"}
	v, err := d.collect()
	if !errors.Is(err, service.ErrDenied) || slugs(v) != "truncated web" || d.archived("web") != "one\n" {
		t.Errorf("%v, found %s", err, slugs(v))
	}
}

// TestAKilledExpiryIsEnded: the index has let a day go, its files are still there.
func TestAKilledExpiryIsEnded(t *testing.T) {
	d := newDesk(t)
	d.book.say("web", "one")
	d.must()
	archive, err := logs.OpenArchive(t.Context(), logs.ArchiveOf(d.dir, "app"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := archive.Keep(t.Context(), "expiring", `["2026-11-25"]`); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.AddDate(0, 0, 1)
	c := logs.Collect{Dir: d.dir, Now: func() time.Time { return d.now }, Keep: logs.Keep{Age: time.Hour}}
	out, err := c.Do(t.Context(), service.Task{Step: service.Step{Target: "app", Op: "expire"}, Instance: d.book})
	if err != nil || slugs(out.Verdict) != "" {
		t.Fatalf("%v, found %s", err, slugs(out.Verdict))
	}
	if left, err := filepath.Glob(filepath.Join(d.dir, "app", "2026-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
