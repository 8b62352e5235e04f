package postgres_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// TestOtherMajors runs with servers that are not installed where the rest looks:
// UPKEEP_POSTGRES_BINS lists directories of programs, of servers and of clients.
// A server without clients of its version is read by the next later ones.
func TestOtherMajors(t *testing.T) {
	bins := filepath.SplitList(os.Getenv("UPKEEP_POSTGRES_BINS"))
	if len(bins) == 0 {
		t.Skip("UPKEEP_POSTGRES_BINS names no directories")
	}
	ran := map[string]bool{}
	for _, dir := range bins {
		version := versionOf(t.Context(), filepath.Join(dir, "initdb"))
		major, _, _ := strings.Cut(version, ".")
		if version == "" || versionOf(t.Context(), filepath.Join(dir, "postgres")) == "" || ran[major] {
			continue // no server, or the clients' package, which brings one of a version that has run
		}
		ran[major] = true
		t.Run(version, func(t *testing.T) { comesBack(t, bins, version) })
	}
}

var digits = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)

func versionOf(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return digits.FindString(string(out))
}

// elsewhere is an environment whose programs are in the given directories.
func elsewhere(t *testing.T, bins []string) service.Env {
	env := servicetest.Env(t)
	env.Find = func(ctx context.Context, program string, major int) (path, version string, err error) {
		best := 1000
		for _, dir := range bins {
			found := versionOf(ctx, filepath.Join(dir, program))
			n, _ := strconv.Atoi(strings.SplitN(found, ".", 2)[0])
			if n >= max(major, 1) && n < best {
				path, version, best = filepath.Join(dir, program), found, n
			}
		}
		if path == "" {
			return "", "", fmt.Errorf("%s %d: %w", program, major, service.ErrNoTool)
		}
		return path, version, nil
	}
	whole := env.Run
	env.Run = func(ctx context.Context, c service.Cmd) (err error) {
		if filepath.IsAbs(c.Program) {
			return whole(ctx, c)
		}
		if c.Program, _, err = env.Find(ctx, c.Program, c.Major); err != nil {
			return err
		}
		return whole(ctx, c)
	}
	return env
}

// comesBack uses a scratch server as the source: it is a server of that version.
func comesBack(t *testing.T, bins []string, version string) {
	in := declareURL(t, elsewhere(t, bins), "postgres://nobody@127.0.0.1:1/none", literalRef(""), nil)
	empty := &remade{Copy: &servicetest.Copy{}, change: func(m *service.Manifest) {
		m.Version, m.Attrs = version, map[string]string{"bootstrap": "postgres"}
	}}
	source := scratch(t, in, empty)
	change(t, source, "postgres", "CREATE ROLE cotuser LOGIN PASSWORD 'x'", "CREATE ROLE team", "GRANT team TO cotuser WITH ADMIN OPTION",
		"CREATE DATABASE cotdb OWNER cotuser", "CREATE DATABASE "+quoted(hostile))
	change(t, source, "cotdb", everything)
	if v, err := source.Check(t.Context()); err != nil {
		t.Errorf("check: %v, %v", v.Findings, err)
	}
	copied := backUp(t, source)
	sibling := scratch(t, in, copied)
	restore(t, sibling, copied, "")
	none(t, verify(t, sibling, copied))
}
