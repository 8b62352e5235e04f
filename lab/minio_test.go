package lab_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"upkeep/lab"
)

// Content outlives a kill; a wrong password is refused; the right one is in no
// argument, and the server is not root.
func TestMinIO(t *testing.T) {
	s := lab.MinIO(t, lab.Options{Password: "s3cret-minio"})
	client := func(password string) *minio.Client {
		c, err := minio.New(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, password, ""), MaxRetries: 1})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := client(s.Password).MakeBucket(t.Context(), "kept", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client("wrong-password").ListBuckets(t.Context()); err == nil {
		t.Error("a wrong password was accepted")
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if there, err := client(s.Password).BucketExists(t.Context(), "kept"); err != nil || !there {
		t.Errorf("after a kill: %t, %v", there, err)
	}
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID()))
	if err != nil || strings.Contains(string(argv), s.Password) {
		t.Errorf("password shows in argv %q, %v", argv, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil || strings.Contains(string(status), "Uid:\t0\t") {
		t.Errorf("it runs as root: %v", err)
	}
}
