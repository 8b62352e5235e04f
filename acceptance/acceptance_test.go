// Package acceptance runs the built binary as its users do, against real servers:
// one script per row of the feature table, named after it. A script fails when
// the feature is taken out.
package acceptance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
)

var update = flag.Bool("update", false, "rewrite what scripts compare with by cmp")

func TestMain(m *testing.M) {
	if role := os.Getenv(holdRole); role != "" {
		if err := holding(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "upkeep-acceptance-")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), build(dir)) // scripts run it as other users too
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := sideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// sideBySide lets more scripts run at once than there are cores: many of them wait for a
// minute to pass, or for a server, more than they compute.
func sideBySide() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", strconv.Itoa(runtime.GOMAXPROCS(0)+1))
}

// build makes the binary that all scripts run, as it ships.
func build(dir string) error {
	cmd := exec.Command("make", "-C", "..", "--silent", "build", "VERSION=0.0.0-acceptance", "BIN="+filepath.Join(dir, "upkeep"))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the program: %w", err)
	}
	return nil
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		Cmds:                commands(),
		Condition:           condition,
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
	})
}

// setup gives every script a home of its own, English, and no terminal.
func setup(env *testscript.Env) error {
	env.Values[labKey{}] = &servers{byName: map[string]*running{}, engines: map[string]*lab.Engine{}, sites: map[string]*site{}, held: map[string][]*pgx.Conn{},
		test: env.T().(testing.TB)}
	env.Values[faultKey{}] = &faults{jobs: map[string]*spawned{}, disks: map[string]func(){}, grows: map[string]func(){}}
	for name, value := range map[string]string{
		"HOME": env.WorkDir, "LANG": "C.UTF-8", "LC_ALL": "", "NO_COLOR": "", "TZ": "Asia/Shanghai",
		"TMPDIR": env.WorkDir, "CI": os.Getenv("CI"),
	} {
		env.Setenv(name, value)
	}
	// Servers that a script lets upkeep start run as other users, who must get here.
	return errors.Join(os.Chmod(filepath.Dir(env.WorkDir), 0o711), os.Chmod(env.WorkDir, 0o755))
}
