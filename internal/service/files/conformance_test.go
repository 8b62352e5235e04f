package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, files.Kind, func(t *testing.T) servicetest.Fixture {
		env := servicetest.Env(t)
		root := filepath.Join(env.Base, "data")
		everything(t, root)
		cfg := files.Kind.NewConfig().(*files.Config)
		cfg.Paths = []string{"data"}
		return servicetest.Fixture{
			Env:    env,
			Config: cfg,
			Damage: func(t *testing.T, scratch service.Instance) { overwrite(t, env, scratch, root) },
			Stop:   func(t *testing.T) { must(t, os.Rename(root, root+"-away")) },
			Start:  func(t *testing.T) { must(t, os.Rename(root+"-away", root)) },
			Only:   "names",
		}
	})
}

// overwrite changes one byte of a file in the only scratch of env and gives it
// back its size and time.
func overwrite(t *testing.T, env service.Env, _ service.Instance, root string) {
	t.Helper()
	dir, remove, err := env.Dir("look")
	must(t, err)
	must(t, remove())
	found, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", root, "attrs/file"))
	if err != nil || len(found) != 1 {
		t.Fatalf("scratch files %q, %v", found, err)
	}
	st, err := os.Stat(found[0])
	must(t, err)
	must(t, os.WriteFile(found[0], []byte("y"), 0o600))
	must(t, os.Chtimes(found[0], st.ModTime(), st.ModTime()))
}
