package logs

import (
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		dir := t.TempDir()
		path, away := filepath.Join(dir, "app.log"), filepath.Join(t.TempDir(), "app.log")
		write(t, path, "one\ntwo\n")
		return servicetest.Fixture{
			Config: &Config{Paths: []string{dir + "/*.log"}, Secret: true, Growth: 1 << 20, Rotate: Rotate{Size: 1}},
			Stop:   func(t *testing.T) { move(t, path, away) },
			Start:  func(t *testing.T) { move(t, away, path) },
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
