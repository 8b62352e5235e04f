package s3

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/lab"
)

func check(t *testing.T, in *Instance) service.Verdict {
	t.Helper()
	v, err := in.Check(t.Context())
	must(t, err)
	return v
}

func TestBucketThatWasNeverThereIsNoFaultAndOneThatWasIs(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	in := declare(t, s)
	v := check(t, in)
	if len(v.Findings) > 0 || v.Facts["bucket"] != "absent" {
		t.Errorf("before the first upload: %v, %v", v.Findings, v.Facts)
	}
	empty := backup(t, in)
	if n := empty.Manifest().Counts["objects"]; n != 0 || empty.Manifest().Attrs[attrBucket] != absent {
		t.Errorf("a copy of nothing has %d objects and %v", n, empty.Manifest().Attrs)
	}
	c := makeBucket(t, s, true)
	if v := check(t, in); len(v.Findings) > 0 || v.Facts["bucket"] != bucketName {
		t.Errorf("with the bucket: %v, %v", v.Findings, v.Facts)
	}
	upload(t, c, "precious", "x")
	err := in.Restore(t.Context(), empty, service.Selection{}, service.Report{})
	if !errors.Is(err, service.ErrRefused) || content(t, c, "precious") != "x" {
		t.Errorf("a copy of nothing was restored over something: %v", err)
	}
	must(t, c.RemoveBucketWithOptions(t.Context(), bucketName, minio.RemoveBucketOptions{ForceDelete: true}))
	if got := slugs(t, check(t, in).Findings); got["bucket-gone"] != service.Critical {
		t.Errorf("the bucket is gone: %v", got)
	}
	var fault *service.Fault
	if _, err := tryBackup(t.Context(), in, nil); !errors.As(err, &fault) || fault.ID != "s3.bucket-was-there" {
		t.Errorf("a bucket that is gone was copied: %v", err)
	}
}

func TestWrongKeysAreALoginRefusedAndNeverTold(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	makeBucket(t, s, true)
	for name, change := range map[string]func(*Config, *service.Env){
		"wrong secret": func(c *Config, _ *service.Env) { c.SecretKey = secret.Parse("not-the-secret") },
		"wrong user":   func(c *Config, _ *service.Env) { c.AccessKey = secret.Parse("nobody-here") },
		"no keys":      func(c *Config, _ *service.Env) { c.AccessKey, c.SecretKey = secret.Ref{}, secret.Ref{} },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := declare(t, s, change).Check(t.Context())
			if !errors.Is(err, service.ErrDenied) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), "not-the-secret") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}

func TestServerThatIsAwayIsUnreachable(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	in := declare(t, s)
	must(t, s.Stop())
	if _, err := in.Check(t.Context()); !errors.Is(err, service.ErrUnreachable) {
		t.Error(err)
	}
}

func TestVersioning(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, false)
	in := declare(t, s)
	unwanted := declare(t, s, func(c *Config, _ *service.Env) { c.Versions = false })
	if got := slugs(t, check(t, in).Findings); got["versioning-off"] != service.Warning {
		t.Errorf("never switched on: %v", got)
	}
	must(t, c.EnableVersioning(t.Context(), bucketName))
	if got := slugs(t, check(t, in).Findings); len(got) > 0 {
		t.Errorf("switched on: %v", got)
	}
	must(t, c.SuspendVersioning(t.Context(), bucketName))
	if got := slugs(t, check(t, in).Findings); got["versioning-off"] != service.Warning {
		t.Errorf("suspended: %v", got)
	}
	if got := slugs(t, check(t, unwanted).Findings); len(got) > 0 {
		t.Errorf("not wanted: %v", got)
	}
}

func TestPolicyThatLetsAnyoneIn(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	in := declare(t, s)
	rule := func(effect, action, condition string) string {
		return `{"Effect":"` + effect + `","Principal":{"AWS":["*"]},"Action":["` + action + `"],"Resource":["arn:aws:s3:::` +
			bucketName + `/*"]` + condition + `}`
	}
	const near = `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`
	for name, one := range map[string]struct {
		statements string
		want       map[string]service.Severity
	}{
		"read":       {rule("Allow", "s3:GetObject", ""), map[string]service.Severity{"public-read": service.Critical}},
		"write":      {rule("Allow", "s3:PutObject", ""), map[string]service.Severity{"public-write": service.Critical}},
		"everything": {rule("Allow", "s3:*", ""), map[string]service.Severity{"public-read": service.Critical, "public-write": service.Critical}},
		"from near":  {rule("Allow", "s3:GetObject", near), map[string]service.Severity{}},
		"taken back": {rule("Allow", "s3:GetObject", "") + "," + rule("Deny", "s3:GetObject", near), map[string]service.Severity{"public-read": service.Warning}},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, c.SetBucketPolicy(t.Context(), bucketName, `{"Version":"2012-10-17","Statement":[`+one.statements+`]}`))
			got := slugs(t, check(t, in).Findings)
			if len(got) != len(one.want) || got["public-read"] != one.want["public-read"] || got["public-write"] != one.want["public-write"] {
				t.Errorf("got %v, want %v", got, one.want)
			}
		})
	}
}

func TestLifecycleThatRemovesObjects(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	rule := lifecycle.Rule{ID: "clean up", Status: "Enabled", RuleFilter: lifecycle.Filter{Prefix: "tmp/"}, Expiration: lifecycle.Expiration{Days: 7}}
	old := lifecycle.Rule{ID: "old versions", Status: "Enabled", NoncurrentVersionExpiration: lifecycle.NoncurrentVersionExpiration{NoncurrentDays: 30}}
	must(t, c.SetBucketLifecycle(t.Context(), bucketName, &lifecycle.Configuration{Rules: []lifecycle.Rule{rule, old}}))
	v := check(t, declare(t, s))
	got := slugs(t, v.Findings)
	if len(got) != 1 || got["lifecycle-expires"] != service.Warning || v.Findings[0].Subject != "clean up" || v.Findings[0].Args["prefix"] != "tmp/" {
		t.Errorf("%v", v.Findings)
	}
}

func TestAbandonedUploadsAreCountedAfterADay(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	for _, key := range []string{"begun", "dir/begun"} {
		id, err := c.NewMultipartUpload(t.Context(), bucketName, key, minio.PutObjectOptions{})
		must(t, err)
		_, err = c.PutObjectPart(t.Context(), bucketName, key, id, 1, strings.NewReader(strings.Repeat("x", 5<<20)), 5<<20, minio.PutObjectPartOptions{})
		must(t, err)
	}
	if got := slugs(t, check(t, declare(t, s)).Findings); len(got) > 0 {
		t.Errorf("just begun: %v", got)
	}
	v := check(t, declare(t, s, func(_ *Config, env *service.Env) {
		env.Now = func() time.Time { return time.Now().Add(30 * time.Hour) }
	}))
	if got := slugs(t, v.Findings); got["uploads-abandoned"] != service.Warning {
		t.Fatalf("after a day: %v", got)
	}
	if args := v.Findings[0].Args; args["n"] != int64(2) || args["bytes"] != int64(10<<20) {
		t.Errorf("%v", args)
	}
}

// A check asks the same few questions of a bucket of any size.
func TestCheckDoesNotListTheBucket(t *testing.T) {
	s := lab.MinIO(t, lab.Options{})
	c := makeBucket(t, s, true)
	proxy := newBetween(t, s)
	in := declare(t, s, proxy.through)
	check(t, in)
	few := proxy.count("", false, func() { check(t, in) })
	for i := range 1200 { // more than a page of a listing
		upload(t, c, "many/"+strings.Repeat("x", 1+i%200)+string(rune('a'+i%26))+time.Now().Format("150405.000000000"), "")
	}
	many := proxy.count("", false, func() { check(t, in) })
	if few != many || few > 6 {
		t.Errorf("%d requests for an empty bucket, %d for one of 1,200 objects", few, many)
	}
}

func TestSettingsThatMayNotBeSeenAreUnknown(t *testing.T) {
	var v service.Verdict
	in := &Instance{cfg: Config{Bucket: bucketName}}
	must(t, in.unsure(&v, "policy", minio.ErrorResponse{Code: minio.AccessDenied}))
	if got := slugs(t, v.Findings); got["settings-denied"] != service.Unknown {
		t.Errorf("%v", got)
	}
	if err := in.unsure(&v, "policy", context.DeadlineExceeded); !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("%v", err)
	}
}
