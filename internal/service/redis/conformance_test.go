package redis

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		dir, err := os.MkdirTemp("/tmp", "uk")
		must(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		must(t, os.Chmod(dir, 0o777)) // the server makes its socket there
		socket := filepath.Join(dir, "s")
		s := start(t, "pw", "unixsocket "+socket)
		seed(t, s)
		cfg := Kind.NewConfig().(*Config)
		cfg.URL, cfg.Password = "unix://"+socket, secret.Parse("pw")
		hanging := *cfg
		hanging.URL = "redis://" + silent(t)
		return servicetest.Fixture{
			Config:  cfg,
			Hanging: &hanging,
			Damage: func(t *testing.T, scratch service.Instance) {
				tamper(t, scratch.(*sibling).in, "HSET", "big hash", "field 1", "changed")
			},
			Stop:  func(t *testing.T) { must(t, os.Rename(socket, socket+".away")) },
			Start: func(t *testing.T) { must(t, os.Rename(socket+".away", socket)) },
			Only:  "big *",
		}
	})
}

// silent takes connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts for it
}
