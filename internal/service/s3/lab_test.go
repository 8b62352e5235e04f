package s3

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"upkeep/internal/catalogue"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

const bucketName = "cot-studio"

// admin is a client other than the one under test.
func admin(t *testing.T, s *lab.Server) *minio.Core {
	t.Helper()
	c, err := minio.NewCore(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, s.Password, ""), MaxRetries: 1})
	must(t, err)
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// makeBucket makes the bucket of the tests, with versioning or without.
func makeBucket(t *testing.T, s *lab.Server, versioned bool) *minio.Core {
	t.Helper()
	c := admin(t, s)
	must(t, c.MakeBucket(t.Context(), bucketName, minio.MakeBucketOptions{}))
	if versioned {
		must(t, c.EnableVersioning(t.Context(), bucketName))
	}
	return c
}

func upload(t *testing.T, c *minio.Core, key, content string, options ...minio.PutObjectOptions) {
	t.Helper()
	o := minio.PutObjectOptions{ContentType: "text/plain"}
	if len(options) > 0 {
		o = options[0]
	}
	_, err := c.Client.PutObject(t.Context(), bucketName, key, strings.NewReader(content), int64(len(content)), o)
	must(t, err)
}

func erase(t *testing.T, c *minio.Core, key string) {
	t.Helper()
	must(t, c.RemoveObject(t.Context(), bucketName, key, minio.RemoveObjectOptions{}))
}

func content(t *testing.T, c *minio.Core, key string) string {
	t.Helper()
	r, _, _, err := c.GetObject(t.Context(), bucketName, key, minio.GetObjectOptions{})
	must(t, err)
	defer func() { _ = r.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(r)
	must(t, err)
	return b.String()
}

// withMinIO lets an environment find the lab's server, or none.
func withMinIO(t *testing.T, env *service.Env, program string) {
	t.Helper()
	find := env.Find
	env.Find = func(ctx context.Context, name string, major int) (string, string, error) {
		if name != minioProgram {
			return find(ctx, name, major)
		}
		if program == "" {
			return "", "", fmt.Errorf("minio: %w", service.ErrNoTool)
		}
		return program, "20260212", nil
	}
}

// declare opens the bucket as an upkeep.yaml would declare it.
func declare(t *testing.T, s *lab.Server, change ...func(*Config, *service.Env)) *Instance {
	t.Helper()
	cfg := config(s)
	env := servicetest.Env(t)
	program, err := lab.MinIOProgram()
	must(t, err)
	withMinIO(t, &env, program)
	for _, f := range change {
		f(cfg, &env)
	}
	must(t, cfg.Validate().Err())
	in, err := Kind.Open(env, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, in.Close()) })
	return in.(*Instance)
}

func config(s *lab.Server) *Config {
	cfg := Kind.NewConfig().(*Config)
	cfg.Endpoint, cfg.Bucket = "http://"+s.Addr(), bucketName
	cfg.AccessKey, cfg.SecretKey = secret.Parse(s.User), secret.Parse(s.Password)
	return cfg
}

func backup(t *testing.T, in *Instance) *servicetest.Copy {
	t.Helper()
	c, err := tryBackup(t.Context(), in, nil)
	must(t, err)
	return c
}

func tryBackup(ctx context.Context, in *Instance, prev service.Copy) (*servicetest.Copy, error) {
	snap, err := in.Snapshot(ctx, func(context.Context) (service.Copy, error) { return prev, nil }, service.Report{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = snap.Close() }()
	return servicetest.StoreAfter(ctx, snap, prev)
}

func restore(t *testing.T, in service.Restorer, c service.Copy, only string) {
	t.Helper()
	must(t, in.Restore(t.Context(), c, service.Selection{Only: only}, service.Report{}))
}

// verified demands that everything is as in the copy.
func verified(t *testing.T, in service.Verifier, c service.Copy) {
	t.Helper()
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	for _, f := range v.Findings {
		t.Errorf("verify finds %s %s %v", f.Severity, f.ID, f.Args)
	}
}

// slugs are the findings by slug and severity; each needs words.
func slugs(t *testing.T, findings []service.Finding) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "s3", Text: text})
	must(t, err)
	got := map[string]service.Severity{}
	for _, f := range findings {
		got[f.ID] = f.Severity
		args := service.Args{"target": "objects"}
		for name, value := range f.Args {
			args[name] = value
		}
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("s3."+f.ID, args)
			if said := title + fix; fix == "" || strings.ContainsAny(said, "?!") || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}

// spoil changes one bit in the middle of a file.
func spoil(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	text[len(text)/2] ^= 1
	must(t, os.WriteFile(path, text, 0o600))
}
