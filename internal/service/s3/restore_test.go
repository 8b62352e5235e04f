package s3

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
	"upkeep/lab"
)

// history is what a bucket says of all versions of a key, the current first.
func history(t *testing.T, c *minio.Core, key string) (ids []string) {
	t.Helper()
	for info := range c.ListObjectsIter(t.Context(), bucketName, minio.ListObjectsOptions{Prefix: key, WithVersions: true, Recursive: true}) {
		must(t, info.Err)
		if info.Key == key {
			ids = append(ids, fmt.Sprint(info.VersionID, " ", info.IsDeleteMarker))
		}
	}
	return ids
}

func TestRestoreUndoesWhatWasDoneSinceAndKeepsWhatIsTheSame(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := seed(t, s)
	in := declare(t, s)
	copied := backup(t, in)
	untouched := history(t, c, "big")
	chained := history(t, c, "back")
	upload(t, c, "back", "three")
	erase(t, c, "a")
	erase(t, c, "projects/2/图片/说明.txt")
	must(t, c.RemoveObject(t.Context(), bucketName, "empty", minio.RemoveObjectOptions{VersionID: strings.Fields(history(t, c, "empty")[0])[0]}))
	upload(t, c, "new", "was not there")
	if v, err := in.Verify(t.Context(), copied, service.Report{}); err != nil || len(slugs(t, v.Findings)) != 3 {
		t.Errorf("verify before: %v, %v", v.Findings, err)
	}
	proxy := newBetween(t, s)
	through := declare(t, s, proxy.through)
	writes := proxy.count(http.MethodPut, true, func() { restore(t, through, copied, "") })
	verified(t, in, copied)
	if writes != 1 { // "empty" alone was gone for good
		t.Errorf("%d objects were written", writes)
	}
	if now := history(t, c, "back"); fmt.Sprint(now) != fmt.Sprint(chained) {
		t.Errorf("the versions of back are %v, were %v", now, chained)
	}
	if now := history(t, c, "big"); fmt.Sprint(now) != fmt.Sprint(untouched) {
		t.Errorf("big was written again: %v, was %v", now, untouched)
	}
	if left := history(t, c, "new"); len(left) > 0 {
		t.Errorf("new is still there: %v", left)
	}
}

func TestRestoreMakesTheBucketAnewAndRepeatsWithoutWriting(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := seed(t, s)
	proxy := newBetween(t, s)
	in := declare(t, s, proxy.through)
	copied := backup(t, in)
	must(t, c.RemoveBucketWithOptions(t.Context(), bucketName, minio.RemoveBucketOptions{ForceDelete: true}))
	restore(t, in, copied, "")
	verified(t, in, copied)
	state, err := c.GetBucketVersioning(t.Context(), bucketName)
	must(t, err)
	if state.Status != minio.Enabled {
		t.Errorf("versioning is %q", state.Status)
	}
	writes := proxy.count(http.MethodPut, true, func() { restore(t, in, copied, "") })
	if writes += proxy.count(http.MethodDelete, true, func() { restore(t, in, copied, "") }); writes != 0 {
		t.Errorf("restored for the second time: %d objects were written or removed", writes)
	}
}

// Some keys are written and then the copy cannot be read; the second call ends it.
func TestInterruptedRestoreIsRepeated(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := seed(t, s)
	in := declare(t, s)
	copied := backup(t, in)
	must(t, c.RemoveBucketWithOptions(t.Context(), bucketName, minio.RemoveBucketOptions{ForceDelete: true}))
	makeBucket(t, s, true)
	upload(t, c, "back", "something else")
	broken := &failing{Copy: copied, after: 3}
	if err := in.Restore(t.Context(), broken, service.Selection{}, service.Report{}); err == nil {
		t.Fatal("no error although the copy could not be read")
	}
	restore(t, in, copied, "")
	verified(t, in, copied)
}

func TestRestoreOnly(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := seed(t, s)
	in := declare(t, s)
	copied := backup(t, in)
	for _, key := range []string{"a", "a!", "back", "projects/1/files/ab/cd/report.txt", "new"} {
		upload(t, c, key, "later")
	}
	restore(t, in, copied, "projects/**")
	restore(t, in, copied, "a")
	for key, want := range map[string]string{"a": "beside a/", "a!": "later", "back": "later", "new": "later",
		"projects/1/files/ab/cd/report.txt": "third"} {
		if got := content(t, c, key); got != want {
			t.Errorf("%s holds %q, want %q", key, got, want)
		}
	}
	for only, want := range map[string]error{"nowhere/*": service.ErrNotFound, "[": service.ErrUnsupported} {
		if err := in.Restore(t.Context(), copied, service.Selection{Only: only}, service.Report{}); !errors.Is(err, want) {
			t.Errorf("only %q: %v", only, err)
		}
	}
}

func TestSuspendedVersioningIsSuspendedAgain(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	upload(t, c, "k", "one")
	must(t, c.SuspendVersioning(t.Context(), bucketName))
	upload(t, c, "k", "two")
	in := declare(t, s)
	copied := backup(t, in)
	upload(t, c, "k", "three")
	upload(t, c, "other", "x")
	restore(t, in, copied, "")
	verified(t, in, copied)
	state, err := c.GetBucketVersioning(t.Context(), bucketName)
	must(t, err)
	if state.Status != minio.Suspended || content(t, c, "k") != "two" || len(history(t, c, "k")) != 2 {
		t.Errorf("versioning %q, k holds %q, versions %v", state.Status, content(t, c, "k"), history(t, c, "k"))
	}
}

func TestBucketWithoutVersions(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, false)
	upload(t, c, "same", "same")
	upload(t, c, "changed", "before")
	in := declare(t, s)
	copied := backup(t, in)
	upload(t, c, "changed", "behind")
	upload(t, c, "new", "x")
	restore(t, in, copied, "")
	verified(t, in, copied)
	if content(t, c, "changed") != "before" {
		t.Error("changed was not restored")
	}
}

// Of a copy with versions a target that wants none takes the current objects.
func TestVersionsAreNotWanted(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := seed(t, s)
	copied := backup(t, declare(t, s))
	must(t, c.RemoveBucketWithOptions(t.Context(), bucketName, minio.RemoveBucketOptions{ForceDelete: true}))
	makeBucket(t, s, false)
	in := declare(t, s, func(c *Config, _ *service.Env) { c.Versions = false })
	upload(t, c, "gone", "deleted in the copy")
	restore(t, in, copied, "")
	verified(t, in, copied)
	if _, err := c.StatObject(t.Context(), bucketName, "gone", minio.StatObjectOptions{}); codeOf(err) != minio.NoSuchKey {
		t.Errorf("gone is there: %v", err)
	}
}

func TestLocksAndHoldsComeBack(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := admin(t, s)
	must(t, c.MakeBucket(t.Context(), bucketName, minio.MakeBucketOptions{ObjectLocking: true}))
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	upload(t, c, "locked", "x", minio.PutObjectOptions{Mode: minio.Governance, RetainUntilDate: until})
	upload(t, c, "held", "y", minio.PutObjectOptions{LegalHold: minio.LegalHoldEnabled})
	in := declare(t, s)
	copied := backup(t, in)
	scratch, err := in.Scratch(t.Context(), copied, service.Report{})
	must(t, err)
	defer func() { must(t, scratch.Close()) }()
	restore(t, scratch.(service.Restorer), copied, "")
	verified(t, scratch.(service.Verifier), copied)
	there := backup(t, scratch.(*sibling).in)
	parts := partsOf(t, there)
	if parts["locked"].Attrs[attrLockMode] != "GOVERNANCE" || parts["held"].Attrs[attrHold] != "ON" {
		t.Errorf("%v, %v", parts["locked"].Attrs, parts["held"].Attrs)
	}
	upload(t, c, "locked", "later")
	upload(t, c, "locked", "locked too", minio.PutObjectOptions{Mode: minio.Governance, RetainUntilDate: until})
	var fault *service.Fault
	if err := in.Restore(t.Context(), copied, service.Selection{}, service.Report{}); !errors.As(err, &fault) || fault.ID != "s3.locked" {
		t.Errorf("a locked version was to be removed: %v", err)
	}
}
