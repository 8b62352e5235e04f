package redis

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
)

// samples are the files that the RDB library brings for its own tests: formats 2
// to 12 and Valkey's, every type and packing.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/hdt3213/rdb").Output()
	if err != nil {
		t.Skipf("find the sources of the RDB library: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "cases", "*.rdb"))
	if err != nil || len(paths) < 30 {
		t.Fatalf("found %d samples, %v", len(paths), err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestEveryFormatIsReadWhole(t *testing.T) {
	for name, content := range samples(t) {
		found, err := take(bytes.NewReader(content), nil)
		if err != nil || len(found.findings()) != 0 || found.bytes != int64(len(content)) {
			t.Errorf("%s: %v, %+v", name, err, found)
		}
	}
}

// TestPackingDoesNotMatter lets a server read every old packing and write it in
// its own: the digests must stay.
func TestPackingDoesNotMatter(t *testing.T) {
	s := start(t, "")
	in := declare(t, s)
	empty := backup(t, in)
	sib := scratch(t, in, empty)
	repacked := 0
	for name, content := range samples(t) {
		found, err := take(bytes.NewReader(content), nil)
		must(t, err)
		if found.head.Valkey || found.head.Version > 10 || found.keys() == 0 {
			continue
		}
		if name == "zipmap_big_len.rdb" {
			continue // Redis 7 itself calls this one broken
		}
		m := empty.Manifest()
		m.Entries, m.Counts = found.entries(), found.counts()
		c := promising{forged{empty, content}, m}
		must(t, sib.Restore(t.Context(), c, service.Selection{}, service.Report{}))
		if v := verified(t, sib, c); len(v.Findings) != 0 {
			t.Errorf("%s in a server of its own: %v", name, v.Findings)
		}
		must(t, in.Restore(t.Context(), c, service.Selection{}, service.Report{}))
		if v := verified(t, in, c); len(v.Findings) != 0 {
			t.Errorf("%s key by key: %v", name, v.Findings)
		}
		repacked++
	}
	if repacked < 25 {
		t.Errorf("only %d files were compared", repacked)
	}
}

func TestAFileCutAnywhereIsDamaged(t *testing.T) {
	for _, name := range []string{"stream_listpacks_2.rdb", "listpack.rdb", "hash_with_hfe.rdb", "function.rdb"} {
		content := samples(t)[name]
		for size := range content {
			if _, err := take(bytes.NewReader(content[:size]), nil); !errors.Is(err, service.ErrDamaged) {
				t.Fatalf("%s cut at %d of %d: %v", name, size, len(content), err)
			}
		}
	}
}

func TestAFlippedBitAnywhereIsNoticed(t *testing.T) {
	content := samples(t)["listpack.rdb"]
	for at := range content {
		flipped := bytes.Clone(content)
		flipped[at] ^= 1
		if _, err := take(bytes.NewReader(flipped), nil); !errors.Is(err, service.ErrDamaged) {
			t.Errorf("byte %d flipped: %v", at, err)
		}
	}
}

// FuzzTake: no input may do more than give an error.
func FuzzTake(f *testing.F) {
	for _, content := range samples(f) {
		if len(content) < 4096 {
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		found, err := take(bytes.NewReader(content), nil)
		if err == nil && found.bytes != int64(len(content)) {
			t.Errorf("read %d of %d bytes without an error", found.bytes, len(content))
		}
	})
}
