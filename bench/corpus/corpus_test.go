package corpus_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"upkeep/bench/corpus"
)

func small() corpus.Spec {
	return corpus.Spec{Seed: 7, Files: 300, Bytes: 4 << 20, Large: 2, LargeLen: 1 << 20}
}

func TestTreeHasTheWantedFilesAndBytes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := corpus.Build(dir, small()); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files++
		}
		return err
	})
	size, sizeErr := corpus.Size(dir)
	if err != nil || sizeErr != nil || files != 300 || size != 4<<20 {
		t.Errorf("%d files, %d bytes, %v, %v; want 300 and %d", files, size, err, sizeErr, 4<<20)
	}
}

func TestSameSeedGivesSameTreeAndAnotherSeedDoesNot(t *testing.T) {
	other := small()
	other.Seed++
	digests := map[string]int{}
	for _, spec := range []corpus.Spec{small(), small(), other} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := corpus.Build(dir, spec); err != nil {
			t.Fatal(err)
		}
		digests[digest(t, dir)]++
	}
	if len(digests) != 2 {
		t.Errorf("digests %v; want two different ones", digests)
	}
}

func TestChangeChangesAndRevertsExactly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	if err := corpus.Build(dir, small()); err != nil {
		t.Fatal(err)
	}
	before := digest(t, dir)
	change, err := corpus.Apply(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, dir) == before {
		t.Error("the change changed nothing")
	}
	if err := change.Revert(); err != nil {
		t.Fatal(err)
	}
	if digest(t, dir) != before {
		t.Error("the tree is not what it was")
	}
}

func digest(t *testing.T, dir string) string {
	t.Helper()
	d, err := corpus.Digest(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
