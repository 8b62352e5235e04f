package s3

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
	"upkeep/lab"
)

func partsOf(t *testing.T, c service.Copy) map[string]service.Part {
	t.Helper()
	all := map[string]service.Part{}
	for p, err := range c.Parts(t.Context()) {
		must(t, err)
		all[p.Name] = p
	}
	return all
}

func TestCopyHoldsVersionsMarkersMetadataAndTags(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	seed(t, s)
	c := backup(t, declare(t, s))
	m := c.Manifest()
	want := map[string]int64{"objects": 8, "versions": 4, "delete_markers": 2, "bytes": m.Counts["bytes"]}
	for name, n := range want {
		if m.Counts[name] != n {
			t.Errorf("%s: %d, want %d", name, m.Counts[name], n)
		}
	}
	parts := partsOf(t, c)
	about := parts["projects/2/图片/说明.txt"].Attrs
	for name, value := range map[string]string{
		"header:content-type": "text/plain; charset=utf-8", "header:cache-control": "max-age=60",
		"header:content-disposition": `attachment; filename="x.txt"`, "header:content-language": "zh",
		"meta:owner": "a <b> & c", "meta:note": "值", "tag:class": "a b", "tag:k+": "v=1",
	} {
		if about[name] != value {
			t.Errorf("%s is %q, want %q; all: %v", name, about[name], value, about)
		}
	}
	if gone := parts["gone"]; gone.Open != nil || gone.Attrs[attrMarker] == "" {
		t.Errorf("the delete marker is %+v", gone)
	}
	var earlier []string
	for name := range parts {
		if keyOf(name) == "projects/1/files/ab/cd/report.txt" {
			earlier = append(earlier, name)
		}
	}
	slices.Sort(earlier)
	for i, size := range []int64{int64(len("third")), int64(len("first")), int64(len("second, longer"))} {
		if got := parts[earlier[i]].Size; got != size {
			t.Errorf("version %d of the report has %d bytes, want %d", i, got, size)
		}
	}
	if names := entryNames(m); !slices.Equal(names, []string{noPrefix, "a/", "projects/"}) {
		t.Errorf("entries %q", names)
	}
}

func entryNames(m service.Manifest) (names []string) {
	for _, e := range m.Entries {
		names = append(names, e.Name)
	}
	return names
}

// Only what changed is read again; on MinIO nothing is asked per object.
func TestTenThousandObjectsAreReadOnce(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, false)
	many(t, c, 10_500)
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("another store %t", hide), func(t *testing.T) {
			proxy := newBetween(t, s)
			proxy.hide = hide
			in := declare(t, s, proxy.through)
			first := backup(t, in)
			if n := first.Manifest().Counts["objects"]; n != 10_500 {
				t.Errorf("%d objects", n)
			}
			for i := range 3 {
				upload(t, c, fmt.Sprintf("d%d/k%05d", i, i), fmt.Sprint("changed ", hide))
			}
			var second service.Copy
			reads := proxy.count(http.MethodGet, true, func() {
				again, err := tryBackup(t.Context(), in, first)
				must(t, err)
				second = again
			})
			// Another store is asked for the tags of those that changed.
			if want := map[bool]int{false: 3, true: 6}[hide]; reads != want {
				t.Errorf("%d objects were read again, want %d", reads, want)
			}
			if second.Manifest().Counts["objects"] != 10_500 || partsOf(t, second)["d7/k00007"].Attrs["meta:n"] != "7" {
				t.Errorf("the second copy has %v, and %v", second.Manifest().Counts, partsOf(t, second)["d7/k00007"])
			}
			heads := proxy.count(http.MethodHead, true, func() { _, _ = tryBackup(t.Context(), in, second) })
			if heads != 0 {
				t.Errorf("%d objects were asked for although nothing changed", heads)
			}
		})
	}
}

// many uploads small objects over ten prefixes side by side.
func many(t *testing.T, c *minio.Core, n int) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			text := fmt.Sprint("content ", i)
			_, err := c.Client.PutObject(t.Context(), bucketName, fmt.Sprintf("d%d/k%05d", i%10, i), strings.NewReader(text), int64(len(text)),
				minio.PutObjectOptions{UserMetadata: map[string]string{"n": fmt.Sprint(i)}})
			return err
		})
	}
	must(t, group.Wait())
}

func TestObjectOverwrittenWhileTheCopyIsTakenIsReadAndNamed(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, false)
	for _, key := range []string{"changes", "goes", "stays"} {
		upload(t, c, key, "as it was")
	}
	proxy := newBetween(t, s)
	proxy.before = func(r *http.Request) {
		switch {
		case r.Method == http.MethodGet && r.URL.Path == "/"+bucketName+"/changes":
			upload(t, c, "changes", "as it is now, and longer")
		case r.Method == http.MethodGet && r.URL.Path == "/"+bucketName+"/goes":
			erase(t, c, "goes")
		}
	}
	copied := backup(t, declare(t, s, proxy.through))
	m := copied.Manifest()
	got := slugs(t, m.Findings)
	if got["changed"] != service.Warning || got["vanished"] != service.Warning || len(got) != 2 {
		t.Errorf("findings %v", m.Findings)
	}
	parts := partsOf(t, copied)
	if _, there := parts["goes"]; there || parts["changes"].Size != int64(len("as it is now, and longer")) {
		t.Errorf("%v", parts)
	}
	if m.Counts["objects"] != 2 || m.Counts["bytes"] != int64(len("as it was")+len("as it is now, and longer")) {
		t.Errorf("%v", m.Counts)
	}
	scratch, err := declare(t, s).Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	defer func() { must(t, scratch.Close()) }()
	restore(t, scratch.(service.Restorer), copied, "")
	verified(t, scratch.(service.Verifier), copied)
}

// An answer that breaks off is no end: the object is asked for, and read again when it
// was changed, else the copy fails.
func TestContentThatBreaksOffIsNeverTakenForTheWhole(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, false)
	upload(t, c, "k", strings.Repeat("as it was ", 100))
	proxy := newBetween(t, s)
	var reads atomic.Int32
	isRead := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/"+bucketName+"/k" }
	proxy.cut = isRead
	if _, err := tryBackup(t.Context(), declare(t, s, proxy.through), nil); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a content of half its length: %v", err)
	}
	proxy.cut = func(r *http.Request) bool {
		first := isRead(r) && reads.Add(1) == 1
		if first {
			upload(t, c, "k", "as it is now")
		}
		return first
	}
	copied := backup(t, declare(t, s, proxy.through))
	if got := slugs(t, copied.Manifest().Findings); partsOf(t, copied)["k"].Size != int64(len("as it is now")) || got["changed"] == "" {
		t.Errorf("%v, %v", partsOf(t, copied), got)
	}
}

// What the server does not give out of one object is left out, and said.
func TestObjectThatMayNotBeReadIsNamed(t *testing.T) {
	s := &snapshot{tally: newTally(), in: &Instance{env: service.Env{Now: time.Now}}, client: &client{}}
	p := s.part(object{name: "sealed", key: "sealed", size: 5})
	if p.Size != 5 {
		t.Fatalf("%+v", p)
	}
	r := &reading{snap: s, object: object{name: "sealed", key: "sealed", size: 5}}
	if err := r.failed(minio.ErrorResponse{Code: minio.AccessDenied}); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("%v", err)
	}
	m, err := s.Manifest(t.Context())
	must(t, err)
	if got := slugs(t, m.Findings); got["unreadable"] != service.Critical || m.Counts["objects"] != 0 || m.Counts["bytes"] != 0 || len(m.Entries) != 0 {
		t.Errorf("%v, %v", m.Findings, m.Counts)
	}
}

// A version is read as it was listed, whatever happens to the object.
func TestVersionsAreCopiedAsTheyWereListed(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	upload(t, c, "busy", "as it was")
	proxy := newBetween(t, s)
	proxy.before = func(r *http.Request) {
		if r.Method == http.MethodGet && r.URL.Path == "/"+bucketName+"/busy" {
			upload(t, c, "busy", "as it is now, and longer")
		}
	}
	copied := backup(t, declare(t, s, proxy.through))
	if p := partsOf(t, copied)["busy"]; p.Size != int64(len("as it was")) || len(copied.Manifest().Findings) > 0 {
		t.Errorf("%v, %v", p, copied.Manifest().Findings)
	}
}

func TestPrefixAndExclude(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	for _, key := range []string{"app/keep", "app/tmp/x", "app/deep/y.part", "other/z"} {
		upload(t, c, key, key)
	}
	in := declare(t, s, func(c *Config, _ *service.Env) { c.Prefix, c.Exclude = "app/", []string{"app/tmp/**", "*.part"} })
	copied := backup(t, in)
	if parts := partsOf(t, copied); len(parts) != 1 || parts["app/keep"].Name == "" {
		t.Errorf("%v", parts)
	}
	upload(t, c, "app/keep", "changed")
	upload(t, c, "app/new", "new")
	restore(t, in, copied, "")
	if content(t, c, "app/tmp/x") != "app/tmp/x" || content(t, c, "other/z") != "other/z" || content(t, c, "app/keep") != "app/keep" {
		t.Error("a restore touched what is not declared, or did not restore")
	}
	if _, err := c.StatObject(t.Context(), bucketName, "app/new", minio.StatObjectOptions{}); codeOf(err) != minio.NoSuchKey {
		t.Errorf("what the copy does not hold is still there: %v", err)
	}
	var keys []string
	for key, err := range in.List(t.Context(), "app/k") {
		must(t, err)
		keys = append(keys, fmt.Sprint(key.Name, " ", key.Size))
	}
	if !slices.Equal(keys, []string{"app/keep 8"}) {
		t.Errorf("list %q", keys)
	}
}

func TestListingOutOfOrderIsRefused(t *testing.T) {
	if err := orderly("b", "a"); !errors.Is(err, service.ErrUnsupported) {
		t.Error(err)
	}
	must(t, orderly("a", "a"))
}
