package corpus_test

import (
	"io"
	"testing"

	"upkeep/bench/corpus"
)

func TestObjectsHaveTheWantedBytesAndTheSameOnesEachTime(t *testing.T) {
	var bytes int64
	keys := map[string]bool{}
	all := corpus.Objects(corpus.Spec{Seed: 1, Files: 1500, Bytes: 3_000_000})
	for _, o := range all {
		bytes += o.Size
		keys[o.Key] = true
	}
	if len(keys) != 1500 || bytes != 3_000_000 {
		t.Errorf("%d keys, %d bytes", len(keys), bytes)
	}
	if first, again := content(t, all[3]), content(t, all[3]); first != again || int64(len(first)) != all[3].Size {
		t.Errorf("%d and %d bytes of %d", len(first), len(again), all[3].Size)
	}
}

func content(t *testing.T, o corpus.Object) string {
	t.Helper()
	r, err := o.Content()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLogFilesGrowAndShrinkBack(t *testing.T) {
	l := corpus.LogFiles{Seed: 1, Files: 30, Bytes: 300_000}
	dir := t.TempDir()
	if err := l.Write(dir); err != nil {
		t.Fatal(err)
	}
	before := digest(t, dir)
	size, err := corpus.Size(dir)
	if err != nil || size < l.Bytes || size > l.Bytes*3/2 {
		t.Errorf("%d bytes, %v", size, err)
	}
	undo, err := l.Grow(dir, 3, 3000)
	if err != nil {
		t.Fatal(err)
	}
	grown, err := corpus.Size(dir)
	if err != nil || grown < size+3000 || grown > size+6000 {
		t.Errorf("%d bytes became %d, %v", size, grown, err)
	}
	if err := undo(); err != nil || digest(t, dir) != before {
		t.Errorf("what was added is not away: %v", err)
	}
}
