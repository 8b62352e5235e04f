package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// minioUser is the root user of every server here; its password differs.
const minioUser = "labadmin"

// MinIO starts a server for the length of one test.
func MinIO(t TB, o Options) *Server {
	t.Helper()
	Need(t, "minio")
	return start(t, o, StartMinIO)
}

// MinIOProgram is where lab/install puts the server, or the one on PATH.
func MinIOProgram() (string, error) {
	places := []string{"/var/cache/upkeep-lab/minio/minio"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab", "minio", "minio"))
	}
	for _, path := range places {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	path, err := exec.LookPath("minio")
	if err != nil {
		return "", fmt.Errorf("minio is not on PATH; lab/install --minio builds it")
	}
	return path, nil
}

// StartMinIO starts a server under dir on one directory, as an ordinary user. Its
// settings are variables of its environment.
func StartMinIO(ctx context.Context, dir string, o Options) (*Server, error) {
	program, err := MinIOProgram()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("minio-user", "nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Component: "http", Host: "127.0.0.1", User: minioUser, Password: cmp.Or(o.Password, rand.Text()),
		Dir: filepath.Join(dir, "minio"), Data: filepath.Join(dir, "minio", "data"),
		ready: minioAnswers, stop: syscall.SIGTERM, account: as, detached: o.Detached,
	}
	// The password stands in a file: argv is readable for every user. env replaces
	// itself by the server.
	conf := filepath.Join(s.Dir, "minio.conf")
	s.argv = func(port int) []string {
		return []string{"/usr/bin/env", "MINIO_CONFIG_ENV_FILE=" + conf, program, "server", "--quiet",
			"--address", s.Host + ":" + strconv.Itoa(port), s.Data}
	}
	s.fresh = func(context.Context) error { return s.initMinIO(conf, o.Settings) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

func (s *Server) initMinIO(conf string, settings map[string]string) error {
	if err := os.MkdirAll(s.Dir, 0o711); err != nil {
		return fmt.Errorf("make the directory of MinIO: %w", err)
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory of MinIO: %w", err)
	}
	all := map[string]string{"MINIO_ROOT_USER": s.User, "MINIO_ROOT_PASSWORD": s.Password, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", name, all[name])
	}
	if err := os.WriteFile(conf, []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("configure MinIO: %w", err)
	}
	s.PasswordFile = filepath.Join(s.Dir, "password")
	if err := writeSecret(s.PasswordFile, s.Password); err != nil {
		return err
	}
	return errors.Join(s.account.own(conf), s.account.own(s.Data))
}

// minioAnswers asks what only a server can answer that has read its users: the health
// page says ready before that.
func minioAnswers(ctx context.Context, s *Server) error {
	client, err := minio.New(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, s.Password, ""), MaxRetries: 1,
		Transport: &http.Transport{DisableKeepAlives: true}})
	if err != nil {
		return err
	}
	_, err = client.ListBuckets(ctx)
	return err
}
