package s3

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// failing is a copy whose contents cannot be read after some.
type failing struct {
	service.Copy
	after int
}

func (f *failing) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		n := 0
		for p, err := range f.Copy.Parts(ctx) {
			if n++; n > f.after && p.Open != nil {
				p.Open = func(context.Context) (io.ReadCloser, error) { return nil, service.ErrDamaged }
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// handmade is a snapshot of objects that no MinIO takes, as other stores do.
type handmade struct {
	objects []object
	text    map[string]string
}

func (h *handmade) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, o := range h.objects {
			p := service.Part{Name: o.name, Attrs: o.partAttrs(), Size: o.size, Open: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(h.text[o.name])), nil
			}}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (h *handmade) Manifest(context.Context) (service.Manifest, error) {
	t, s := newTally(), &snapshot{}
	for i := range h.objects {
		t.add(&h.objects[i])
		s.fit(&h.objects[i])
	}
	return service.Manifest{Taken: time.Now(), Identity: "elsewhere", Counts: t.counts(), Entries: t.list(),
		Attrs: map[string]string{attrAwkward: strconv.FormatInt(s.unfit, 10)}}, nil
}

func (h *handmade) Close() error { return nil }

var oddKeys = []string{"..", "../../etc/passwd", "/absolute", "a", "a!", "a//b", "a/b", "clean/key", "dir/", strings.Repeat("长", 333)}

func oddCopy(t *testing.T) service.Copy {
	t.Helper()
	h := &handmade{text: map[string]string{}}
	for _, key := range oddKeys {
		h.text[key] = "content of " + key
		h.objects = append(h.objects, object{name: key, key: key, size: int64(len(h.text[key])), etag: "x", modified: time.Now(),
			attrs: map[string]string{"meta:k": key}})
	}
	c, err := servicetest.Store(t.Context(), h)
	must(t, err)
	return c
}

// A server that would refuse the keys is not tried: they are proven in a directory.
func TestKeysThatMinIODoesNotTakeAreProvenInADirectory(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	in := declare(t, s)
	copied := oddCopy(t)
	scratch, err := in.Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	defer func() { must(t, scratch.Close()) }()
	f, is := scratch.(*folder)
	if !is {
		t.Fatalf("the scratch is %T", scratch)
	}
	restore(t, f, copied, "")
	v, err := f.Verify(t.Context(), copied, service.Report{})
	must(t, err)
	if len(v.Findings) > 0 || v.Facts[factScratch] != "directory" {
		t.Errorf("%v, %v", v.Findings, v.Facts)
	}
	entries, err := os.ReadDir(f.dir)
	must(t, err)
	if len(entries) != len(oddKeys)+1 {
		t.Errorf("%d files for %d keys and an index", len(entries), len(oddKeys))
	}
}

func TestExtractKeepsKeysApartAndInside(t *testing.T) {
	in := &Instance{}
	files := map[string]string{}
	err := in.Extract(t.Context(), oddCopy(t), service.Selection{}, func(h *tar.Header, content io.Reader) error {
		text, err := io.ReadAll(content)
		files[h.Name] = string(text)
		return err
	})
	must(t, err)
	seen := map[string]string{}
	for scan := bufio.NewScanner(bytes.NewReader([]byte(files[tableName]))); scan.Scan(); {
		var r row
		must(t, json.Unmarshal(scan.Bytes(), &r))
		seen[r.Key] = r.Path
		if files[r.Path] != "content of "+r.Key || r.Meta["k"] != r.Key {
			t.Errorf("%q lies in %q with %q", r.Key, r.Path, files[r.Path])
		}
	}
	for _, key := range oddKeys {
		plain := key == "a" || key == "a!" || key == "clean/key"
		if strings.HasPrefix(seen[key], plainDir) != plain || seen[key] == "" {
			t.Errorf("%q lies in %q", key, seen[key])
		}
	}
}

// What MinIO takes: a key of a thousand bytes, a key beside itself with a slash.
func TestLongAndNeighbouringKeysGoRound(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	long := strings.Repeat(strings.Repeat("键", 80)+"/", 4) + strings.Repeat("x", 36)
	keys := []string{long, "a", "a/", "a b", "a+b", "a%2Fb", "a&b<c>", "a\"b", "ä", "a\tb", "a\\b", "#frag?x=1", "~", "'"}
	for _, key := range keys {
		upload(t, c, key, key)
	}
	in := declare(t, s)
	copied := backup(t, in)
	parts := partsOf(t, copied)
	for _, key := range keys {
		if parts[key].Size != int64(len(key)) {
			t.Errorf("%q has %d bytes in the copy", key, parts[key].Size)
		}
	}
	scratch, err := in.Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	defer func() { must(t, scratch.Close()) }()
	if _, is := scratch.(*sibling); !is {
		t.Fatalf("the scratch is %T", scratch)
	}
	restore(t, scratch.(service.Restorer), copied, "")
	verified(t, scratch.(service.Verifier), copied)
}

// MinIO takes a/b beside a and lists it to nobody, so a copy with both is not proven
// in one.
func TestObjectsBelowObjectsAreUnfit(t *testing.T) {
	s := &snapshot{}
	for _, key := range []string{"a", "a!", "a/", "a/b", "ab", "b/c", "c", "c.d/e"} {
		s.fit(&object{name: key, key: key})
	}
	if s.unfit != 1 {
		t.Errorf("%d keys are unfit", s.unfit)
	}
}
