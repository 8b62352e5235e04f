package s3

import (
	"net"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// seed fills a versioned bucket with objects of every sort.
func seed(t *testing.T, s *lab.Server) *minio.Core {
	t.Helper()
	c := makeBucket(t, s, true)
	upload(t, c, "projects/1/files/ab/cd/report.txt", "first")
	upload(t, c, "projects/1/files/ab/cd/report.txt", "second, longer")
	upload(t, c, "projects/1/files/ab/cd/report.txt", "third")
	upload(t, c, "projects/2/图片/说明.txt", strings.Repeat("内容 ", 5000), minio.PutObjectOptions{
		ContentType: "text/plain; charset=utf-8", CacheControl: "max-age=60", ContentDisposition: `attachment; filename="x.txt"`,
		ContentEncoding: "identity", ContentLanguage: "zh",
		UserMetadata: map[string]string{"owner": "a <b> & c", "Note": "值"}, UserTags: map[string]string{"class": "a b", "k+": "v=1"}})
	upload(t, c, "empty", "")
	upload(t, c, "a", "beside a/")
	upload(t, c, "a/", "")
	upload(t, c, "a!", "between them")
	upload(t, c, "big", strings.Repeat("0123456789abcdef", 2<<20))
	upload(t, c, "gone", "deleted later")
	erase(t, c, "gone")
	upload(t, c, "back", "one")
	erase(t, c, "back")
	upload(t, c, "back", "two")
	return c
}

func TestConformance(t *testing.T) {
	for _, scratch := range []string{"minio", "directory"} {
		t.Run(scratch, func(t *testing.T) {
			servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture { return fixture(t, scratch == "minio") })
		})
	}
}

func fixture(t *testing.T, server bool) servicetest.Fixture {
	s := lab.MinIO(t, lab.Options{})
	seed(t, s)
	env, program := servicetest.Env(t), ""
	if server {
		var err error
		program, err = lab.MinIOProgram()
		must(t, err)
	}
	withMinIO(t, &env, program)
	cfg := config(s)
	hanging := *cfg
	hanging.Endpoint = "http://" + silent(t)
	return servicetest.Fixture{
		Env:     env,
		Config:  cfg,
		Hanging: &hanging,
		Damage:  damage,
		Stop:    func(t *testing.T) { must(t, s.Stop()) },
		Start:   func(t *testing.T) { must(t, s.Start(t.Context())) },
		Only:    "projects/1/*",
	}
}

// damage changes one object of a restored scratch.
func damage(t *testing.T, scratch service.Instance) {
	t.Helper()
	switch s := scratch.(type) {
	case *sibling:
		c, err := s.in.connect(t.Context())
		must(t, err)
		upload(t, c.Core, "projects/2/图片/说明.txt", "changed")
	case *folder:
		spoil(t, s.file("projects/2/图片/说明.txt"))
	}
}

// silent takes connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts for it
}
