package repository_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// blobs lists the repository's files of one sort: "p" content, "q" metadata, "x"
// indexes.
func blobs(t *testing.T, path, sort string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(strings.TrimPrefix(file, path+"/"), sort) && strings.HasSuffix(file, ".f") {
			found = append(found, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// largest is the one file with the content of a large part.
func largest(t *testing.T, path, sort string) string {
	t.Helper()
	best, size := "", int64(0)
	for _, file := range blobs(t, path, sort) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > size {
			best, size = file, info.Size()
		}
	}
	if best == "" {
		t.Fatalf("no file %s* in the repository", sort)
	}
	return best
}

// spoil rewrites a file of the repository, which is read-only for nobody.
func spoil(t *testing.T, file string, how func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, how(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flipMiddle(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
func cutHalf(b []byte) []byte    { return b[:len(b)/2] }

// damaged makes two points, of which the second one's target "db" has a large
// part of its own, and returns what spoils it.
func damaged(t *testing.T) (r *repository.Repository, path string, large []byte) {
	r, path = create(t)
	backUp(t, r, "p1", day(1), texts("a", "1"))
	large = noise(9, 3<<20)
	w := begin(t, r, header("p2", day(2)))
	store(t, w, "files", texts("a", "1", "b", "2"))
	store(t, w, "db", (&fakeSnapshot{}).add("dump", large))
	seal(t, w)
	return r, path, large
}

func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	for name, spoilIt := range map[string]func(*testing.T, string){
		"one flipped byte": func(t *testing.T, file string) { spoil(t, file, flipMiddle) },
		"cut in half":      func(t *testing.T, file string) { spoil(t, file, cutHalf) },
		"deleted": func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, path, large := damaged(t)
			spoilIt(t, largest(t, path, "p"))
			v, err := r.Verify(t.Context(), "p2", repository.VerifyOptions{}, service.Report{})
			if err != nil || len(v.Damaged) != 1 || v.Damaged[0].Target != "db" || v.Damaged[0].Part != "dump" {
				t.Fatalf("found %+v (%v)", v.Damaged, err)
			}
			if v, err := r.Verify(t.Context(), "p1", repository.VerifyOptions{}, service.Report{}); err != nil || len(v.Damaged) > 0 {
				t.Errorf("the other point: %+v (%v)", v.Damaged, err)
			}
			readDamaged(t, r)
			heal(t, r, v.Damaged, large)
		})
	}
}

// readDamaged expects that no wrong byte is given out as right.
func readDamaged(t *testing.T, r *repository.Repository) {
	t.Helper()
	c, err := r.Copy(t.Context(), "p2", "db")
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Part(t.Context(), "dump")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := contentOf(t, p); !errors.Is(err, service.ErrDamaged) {
		t.Errorf("reading the damaged part: %v", err)
	}
}

// heal expects that a new backup carries nothing damaged over and, once the
// damage is forgotten, mends the old point as well.
func heal(t *testing.T, r *repository.Repository, found []repository.Damage, large []byte) {
	t.Helper()
	if n, err := r.Forget(t.Context(), found); err != nil || n == 0 {
		t.Fatalf("forgot %d (%v)", n, err)
	}
	again := (&fakeSnapshot{}).add("dump", large)
	w := begin(t, r, header("p3", day(3)))
	store(t, w, "db", again)
	seal(t, w)
	if again.opened.Load() != 1 {
		t.Error("a damaged part was carried over")
	}
	for _, id := range []string{"p2", "p3"} {
		if v, err := r.Verify(t.Context(), id, repository.VerifyOptions{}, service.Report{}); err != nil || len(v.Damaged) > 0 {
			t.Errorf("%s after a new backup: %+v (%v)", id, v.Damaged, err)
		}
	}
}

func TestDamagedMetadataIsFoundOrSaid(t *testing.T) {
	// Packs of metadata also hold kopia's manifests, which are in memory: only those
	// that the copy needs must be missed.
	r, path, _ := damaged(t)
	needed := 0
	for _, file := range blobs(t, path, "q") {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !holdsIndexOfDB(t, r, file, whole) {
			continue
		}
		needed++
		spoil(t, file, func(b []byte) []byte { return b[:16] })
		v, err := r.Verify(t.Context(), "p2", repository.VerifyOptions{}, service.Report{})
		if err != nil || len(v.Damaged) == 0 || v.Damaged[0].Target != "db" {
			t.Errorf("%s cut: %+v (%v)", filepath.Base(file), v, err)
		}
		spoil(t, file, func([]byte) []byte { return whole })
	}
	if needed == 0 {
		t.Error("no file holds the index of the copy")
	}
}

// holdsIndexOfDB reports whether the point needs the file at all.
func holdsIndexOfDB(t *testing.T, r *repository.Repository, file string, whole []byte) bool {
	t.Helper()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}()
	_, err := r.Copy(t.Context(), "p2", "db")
	return err != nil
}

func TestADamagedDeclarationKeepsNobodyFromTheCopies(t *testing.T) {
	r, path := create(t)
	before := blobs(t, path, "q")
	w := begin(t, r, header("p1", day(1)))
	store(t, w, "files", texts("a", "1"))
	stored := blobs(t, path, "q")
	seal(t, w)
	sealing := blobs(t, path, "q")
	for _, file := range sealing {
		if !slices.Contains(append(before, stored...), file) {
			spoil(t, file, func(b []byte) []byte { return b[:16] })
		}
	}
	p, err := r.Point(t.Context(), "p1")
	if err != nil || len(p.Declaration.Damaged) != 1 || len(p.Targets) != 1 {
		t.Errorf("point %+v (%v)", p, err)
	}
	v, err := r.Verify(t.Context(), "p1", repository.VerifyOptions{}, service.Report{})
	if err != nil || len(v.Damaged) != 1 || v.Damaged[0].Part != "upkeep.yaml" {
		t.Errorf("verified %+v (%v)", v.Damaged, err)
	}
}

func TestADamagedIndexIsFoundOnTheDisk(t *testing.T) {
	r, path, _ := damaged(t)
	for i, file := range blobs(t, path, "x") {
		spoil(t, file, flipMiddle)
		v, err := r.Verify(t.Context(), "p2", repository.VerifyOptions{}, service.Report{})
		if err != nil || len(v.Damaged) == 0 || !strings.HasPrefix(v.Damaged[0].Part, "index ") {
			t.Errorf("index %d flipped: %+v (%v)", i, v.Damaged, err)
		}
		spoil(t, file, flipMiddle)
	}
	if v, err := r.Verify(t.Context(), "p2", repository.VerifyOptions{}, service.Report{}); err != nil || len(v.Damaged) > 0 {
		t.Errorf("after all was put back: %+v (%v)", v.Damaged, err)
	}
}

func TestASampleReadsSomeParts(t *testing.T) {
	r, _ := create(t)
	s := &fakeSnapshot{}
	for i := range 1000 {
		s.add(string(rune(0x4e00+i)), []byte{byte(i), byte(i >> 8)})
	}
	backUp(t, r, "p1", day(1), s)
	v, err := r.Verify(t.Context(), "p1", repository.VerifyOptions{Sample: 0.1}, service.Report{})
	if err != nil || v.Parts+v.Skipped != 1000 || v.Parts < 20 || v.Parts > 300 {
		t.Errorf("a tenth of 1000 parts: %d read, %d skipped (%v)", v.Parts, v.Skipped, err)
	}
}
