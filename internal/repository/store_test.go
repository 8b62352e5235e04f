package repository_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"runtime"
	"strings"
	"testing"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// hostile are names that would do harm as paths.
func hostile() []string {
	return []string{
		"", ".", "..", "../../etc/passwd", "/", "/etc/passwd", "a", "a/b", "a//b", "a/../b", "A", "a%2Fb", `c:\x`, "~root",
		"new\nline", "nul\x00byte", "\xb2\xe2\xca\xd4", "测试", "\u202egnp.exe", strings.Repeat("长", 100), strings.Repeat("x", 300), strings.Repeat("x", 301),
	}
}

func TestPartsComeBackByTheirExactNames(t *testing.T) {
	r, path := create(t)
	s := &fakeSnapshot{manifest: service.Manifest{Version: "15.18", Entries: []service.Entry{{Name: "t", Count: 3}}}}
	want := map[string]string{}
	for i, name := range hostile() {
		want[name] = fmt.Sprint("content ", i)
		s.add(name, []byte(want[name]))
		s.parts[i].Attrs = map[string]string{"link": "\xb2\\x41", "k\xff": "v"}
	}
	s.sorted()
	backUp(t, r, "p1", day(1), s)

	c, err := reopen(t, path).Copy(t.Context(), "p1", "files")
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Manifest(); m.Version != "15.18" || len(m.Entries) != 1 || m.Entries[0].Count != 3 {
		t.Errorf("manifest came back as %+v", m)
	}
	i := 0
	for p, err := range c.Parts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		stored := s.parts[i]
		if p.Name != stored.Name || p.Size != stored.Size || p.Identity != stored.Identity || !maps.Equal(p.Attrs, stored.Attrs) {
			t.Errorf("part %q came back as %+v", stored.Name, p)
		}
		i++
	}
	if i != len(s.parts) {
		t.Errorf("%d of %d parts came back", i, len(s.parts))
	}
	for name, content := range want {
		p, err := c.Part(t.Context(), name)
		if err != nil {
			t.Errorf("part %q: %v", name, err)
			continue
		}
		if got, err := contentOf(t, p); err != nil || string(got) != content {
			t.Errorf("part %q holds %q (%v), want %q", name, got, err, content)
		}
	}
	if _, err := c.Part(t.Context(), "b"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("a part that is not there: %v", err)
	}
}

func TestPartsWithoutContentAndOfUnknownSize(t *testing.T) {
	r, _ := create(t)
	large := noise(1, 7<<20)
	s := (&fakeSnapshot{}).add("empty", nil).add("stream", large)
	s.parts[1].Size = -1
	s.parts = append(s.parts, service.Part{Name: "dir", Attrs: map[string]string{"mode": "0750"}})
	w := begin(t, r, header("p1", day(1)))
	stored := store(t, w, "files", s.sorted())
	if stored.Bytes != int64(len(large)) || stored.Parts != 3 || stored.AddedBytes < stored.Bytes {
		t.Errorf("stored %d bytes in %d parts, %d added", stored.Bytes, stored.Parts, stored.AddedBytes)
	}
	seal(t, w)
	c, err := r.Copy(t.Context(), "p1", "files")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.Part(t.Context(), "dir")
	if err != nil || dir.Open != nil || dir.Attrs["mode"] != "0750" || dir.SHA256 != "" {
		t.Errorf("directory came back as %+v (%v)", dir, err)
	}
	stream, err := c.Part(t.Context(), "stream")
	if err != nil || stream.Size != int64(len(large)) {
		t.Fatalf("stream came back as %+v (%v)", stream, err)
	}
	if got, err := contentOf(t, stream); err != nil || !bytes.Equal(got, large) {
		t.Errorf("stream of %d bytes came back as %d (%v)", len(large), len(got), err)
	}
	empty, err := c.Part(t.Context(), "empty")
	if err != nil || empty.Open == nil {
		t.Fatalf("empty file came back as %+v (%v)", empty, err)
	}
	if got, err := contentOf(t, empty); err != nil || len(got) != 0 {
		t.Errorf("empty file holds %q (%v)", got, err)
	}
}

func TestOnlyPartsWithANewIdentityAreOpened(t *testing.T) {
	r, _ := create(t)
	backUp(t, r, "p1", day(1), texts("a", "1", "c", "3", "d", "4", "e", "5"))
	next := texts("a", "1", "b", "2", "c", "changed", "e", "5")
	w := begin(t, r, header("p2", day(2)))
	stored := store(t, w, "files", next)
	if next.opened.Load() != 2 || stored.Carried != 2 {
		t.Errorf("%d parts opened, %d carried over; want 2 and 2", next.opened.Load(), stored.Carried)
	}
	seal(t, w)
	whole := texts("a", "1", "b", "2", "c", "changed", "e", "5")
	fresh, _ := createAlone(t)
	if other := backUp(t, fresh, "x", day(1), whole).Targets[0]; other.SHA256 != stored.SHA256 {
		t.Error("the digest of a copy depends on what was carried over")
	}
	v, err := r.Verify(t.Context(), "p2", repository.VerifyOptions{}, service.Report{})
	if err != nil || len(v.Damaged) > 0 || v.Parts != 4 {
		t.Errorf("verified %+v (%v)", v, err)
	}
}

func TestAnotherKindUnderTheSameNameIsReadAnew(t *testing.T) {
	r, _ := create(t)
	backUp(t, r, "p1", day(1), texts("a", "1"))
	w := begin(t, r, header("p2", day(2)))
	s := texts("a", "1")
	if _, err := w.Store(t.Context(), "files", "other", s, repository.StoreOptions{}, service.Report{}); err != nil {
		t.Fatal(err)
	}
	if s.opened.Load() != 1 {
		t.Error("a part of another kind was carried over")
	}
	seal(t, w)
}

// changing returns a part that ends with ErrChanged the first n times.
func changing(name string, n int) service.Part {
	opened := 0
	return service.Part{Name: name, Size: -1, Identity: name, Open: func(context.Context) (io.ReadCloser, error) {
		opened++
		content := io.Reader(strings.NewReader(fmt.Sprint("version ", opened)))
		if opened <= n {
			content = io.MultiReader(content, failing{service.ErrChanged})
		}
		return io.NopCloser(content), nil
	}}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAPartThatChangesIsReadAgain(t *testing.T) {
	r, _ := create(t)
	w := begin(t, r, header("p1", day(1)))
	stored := store(t, w, "files", &fakeSnapshot{parts: []service.Part{changing("never rests", 99), changing("rests", 2)}})
	seal(t, w)
	if len(stored.Findings) != 1 || stored.Findings[0].Subject != "never rests" || stored.Findings[0].Severity != service.Warning {
		t.Errorf("findings %+v", stored.Findings)
	}
	c, err := r.Copy(t.Context(), "p1", "files")
	if err != nil {
		t.Fatal(err)
	}
	torn, err := c.Part(t.Context(), "never rests")
	if err != nil || torn.Attrs["changed"] == "" || torn.Identity != "" {
		t.Errorf("torn part came back as %+v (%v)", torn, err)
	}
	whole, err := c.Part(t.Context(), "rests")
	if err != nil || whole.Attrs["changed"] != "" {
		t.Errorf("part read three times came back as %+v (%v)", whole, err)
	}
	if got, _ := contentOf(t, whole); string(got) != "version 3" {
		t.Errorf("it holds %q", got)
	}
	w = begin(t, r, header("p2", day(2)))
	if again := store(t, w, "files", &fakeSnapshot{parts: []service.Part{changing("never rests", 0), changing("rests", 0)}}); again.Carried != 1 {
		t.Errorf("%d parts carried over, want the whole one only", again.Carried)
	}
	seal(t, w)
}

// closing fails when it is closed, as a program does whose exit code is not 0.
type closing struct{ io.Reader }

func (closing) Close() error { return errors.New("exit status 1") }

func TestAFailedTargetLeavesThePointIncomplete(t *testing.T) {
	r, path := create(t)
	backUp(t, r, "p1", day(1), texts("a", "1"))
	bad := map[string]func(context.Context) (io.ReadCloser, error){
		"does not open":    func(context.Context) (io.ReadCloser, error) { return nil, errors.New("gone") },
		"breaks off":       func(context.Context) (io.ReadCloser, error) { return io.NopCloser(failing{errors.New("reset")}), nil },
		"fails on closing": func(context.Context) (io.ReadCloser, error) { return closing{strings.NewReader("x")}, nil },
	}
	for name, open := range bad {
		w := begin(t, r, header("p2", day(2)))
		s := texts("a", "1", "b", "2", "c", "3")
		s.parts[1].Open, s.parts[1].Identity = open, ""
		if _, err := w.Store(t.Context(), "files", "fake", s, repository.StoreOptions{}, service.Report{}); err == nil {
			t.Errorf("a part that %s was stored", name)
		}
		if _, err := w.Seal(t.Context(), repository.Declaration{}, ""); !errors.Is(err, service.ErrRefused) {
			t.Errorf("sealing a point without targets: %v", err)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	points, err := reopen(t, path).Points(t.Context())
	if err != nil || len(points) != 2 || points[0].ID != "p2" || points[0].Complete || !points[1].Complete {
		t.Errorf("points %+v (%v)", points, err)
	}
	if p, err := r.Point(t.Context(), "latest"); err != nil || p.ID != "p1" {
		t.Errorf("latest is %s (%v)", p.ID, err)
	}
}

func TestPartsOutOfOrderAreRefused(t *testing.T) {
	r, _ := create(t)
	for _, names := range [][]string{{"b", "a"}, {"a", "a"}} {
		w := begin(t, r, header("p", day(1)))
		s := (&fakeSnapshot{}).add(names[0], []byte("1")).add(names[1], []byte("2"))
		if _, err := w.Store(t.Context(), "files", "fake", s, repository.StoreOptions{}, service.Report{}); err == nil {
			t.Errorf("%q were stored in this order", names)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACancelledStoreEnds(t *testing.T) {
	r, _ := create(t)
	w := begin(t, r, header("p", day(1)))
	defer w.Close(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	s := texts("a", "1")
	s.parts[0].Open = func(ctx context.Context) (io.ReadCloser, error) {
		cancel()
		return io.NopCloser(waiting{ctx}), nil
	}
	if _, err := w.Store(ctx, "files", "fake", s, repository.StoreOptions{}, service.Report{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled store: %v", err)
	}
}

type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) { <-w.ctx.Done(); return 0, w.ctx.Err() }

// many makes parts as they are asked for, and watches what the memory still holds.
type many struct {
	fakeSnapshot
	count int
	most  uint64 // bytes in use after a collection
}

func (m *many) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for i := range m.count {
			if i%20000 == 19999 {
				m.most = max(m.most, inUse())
			}
			name := fmt.Sprintf("objects/2026/11/%012d/scan.tif", i)
			p := service.Part{Name: name, Size: 4, Identity: fmt.Sprintf("etag-%032d", i), Open: func(context.Context) (io.ReadCloser, error) {
				m.opened.Add(1)
				return io.NopCloser(strings.NewReader(fmt.Sprint(i % 100))), nil
			}}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestHundredsOfThousandsOfPartsInBoundedMemory(t *testing.T) {
	r, _ := createAlone(t)
	// The compressor's own buffers take 25 to 60 MiB however many parts there are;
	// holding the parts would take 90 MiB and more on top.
	const parts, bound = 300_000, 90 << 20
	before := inUse()
	first := &many{count: parts}
	backUp(t, r, "p1", day(1), first)
	second := &many{count: parts}
	p := backUp(t, r, "p2", day(2), second)
	if second.opened.Load() != 0 || p.Targets[0].Carried != parts {
		t.Errorf("the second copy opened %d parts and carried %d over", second.opened.Load(), p.Targets[0].Carried)
	}
	if p.AddedBytes > 64<<10 {
		t.Errorf("the second copy added %d bytes", p.AddedBytes)
	}
	for _, m := range []*many{first, second} {
		if m.most > before+bound {
			t.Errorf("%d MiB in use while storing, %d before", m.most>>20, before>>20)
		}
	}
	t.Logf("in use: %d MiB before, %d and %d while storing", before>>20, first.most>>20, second.most>>20)
	c, err := r.Copy(t.Context(), "p2", "files")
	if err != nil {
		t.Fatal(err)
	}
	one, err := c.Part(t.Context(), "objects/2026/11/000000077777/scan.tif")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := contentOf(t, one); err != nil || string(got) != "77" {
		t.Errorf("part 77777 holds %q (%v)", got, err)
	}
}

func TestProgressCountsEveryByteOnce(t *testing.T) {
	r, _ := create(t)
	backUp(t, r, "p1", day(1), texts("a", "12345", "b", "678"))
	w := begin(t, r, header("p2", day(2)))
	var last, total int64
	watch := service.Report{Progress: func(done, of int64) { last, total = max(last, done), of }}
	if _, err := w.Store(t.Context(), "files", "fake", texts("a", "12345", "b", "six666"), repository.StoreOptions{Total: 11, Limit: 1 << 30}, watch); err != nil {
		t.Fatal(err)
	}
	if last != 11 || total != 11 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	seal(t, w)
}

// A file that vanished between its listing and its reading must not cost the
// whole copy; its manifest names it.
func TestAPartThatIsGoneIsLeftOut(t *testing.T) {
	snap := texts("a", "one", "c", "three")
	snap.parts = append(snap.parts, service.Part{Name: "b", Size: 3, Open: func(context.Context) (io.ReadCloser, error) {
		return nil, fmt.Errorf("open b: %w", service.ErrNotFound)
	}})
	r, _ := create(t)
	backUp(t, r, "p1", day(1), snap.sorted())
	c, err := r.Copy(t.Context(), "p1", "files")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for p, err := range c.Parts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "a c" {
		t.Errorf("the copy holds %q, not %q", got, "a c")
	}
}
