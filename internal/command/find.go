package command

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// postgresDirs is where Debian keeps the programs of each major version.
const postgresDirs = "/usr/lib/postgresql/*/bin"

// version is what a program said of itself when its file was as it is in stamp.
type version struct {
	stamp string
	text  string // empty when it does not say
}

// installed is one program of the wanted name.
type installed struct{ path, version string }

// Find looks for a program of at least a major version (0 = any) and returns its
// path and version. Of several it takes the lowest major version that will do, of
// that the newest; with 0 the newest of all. Without one the error wraps
// ErrNotFound and says what was found too old.
func (r *Runner) Find(ctx context.Context, program string, major int) (path, version string, err error) {
	var fit, old []installed
	for _, path := range r.candidates(program) {
		version, err := r.versionOf(ctx, path)
		switch {
		case err != nil:
			return "", "", err
		case major == 0 || MajorOf(version) >= major:
			fit = append(fit, installed{path, version})
		default:
			old = append(old, installed{path, version})
		}
	}
	if len(fit) == 0 {
		return "", "", r.notFound(program, major, old)
	}
	best := slices.MinFunc(fit, func(a, b installed) int {
		newer := -compare(a.version, b.version)
		if major == 0 {
			return newer
		}
		return cmp.Or(cmp.Compare(MajorOf(a.version), MajorOf(b.version)), newer)
	})
	return best.path, best.version, nil
}

func (r *Runner) notFound(program string, major int, old []installed) error {
	wanted := program
	if major > 0 {
		wanted += fmt.Sprintf(" %d or newer", major)
	}
	looked := strings.Join(append(slices.Clone(r.Paths), "PATH", postgresDirs), ", ")
	var found []string
	for _, o := range old {
		found = append(found, fmt.Sprintf("%s is %s", o.path, cmp.Or(o.version, "of an unknown version")))
	}
	if len(found) > 0 {
		return fmt.Errorf("%s: %w in %s; %s", wanted, ErrNotFound, looked, strings.Join(found, ", "))
	}
	return fmt.Errorf("%s: %w in %s", wanted, ErrNotFound, looked)
}

// candidates are all programs of that name, each once.
func (r *Runner) candidates(program string) []string {
	if filepath.IsAbs(program) {
		return slices.DeleteFunc([]string{program}, func(path string) bool { return !executable(path) })
	}
	packaged, err := filepath.Glob(postgresDirs)
	if err != nil {
		packaged = nil // the pattern is constant and well formed
	}
	var found, real []string
	for _, dir := range slices.Concat(r.Paths, filepath.SplitList(r.path()), packaged) {
		path := filepath.Join(dir, program)
		if !filepath.IsAbs(dir) || strings.ContainsRune(program, filepath.Separator) || !executable(path) {
			continue
		}
		target, err := filepath.EvalSymlinks(path)
		// Debian's pg_wrapper chooses a version by the local clusters; the real
		// programs are in packaged.
		if err != nil || filepath.Base(target) == "pg_wrapper" || slices.Contains(real, target) {
			continue
		}
		found, real = append(found, path), append(real, target)
	}
	return found
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// versionOf asks a program for its version, once as long as its file stays the
// same. One that does not say has the version "".
func (r *Runner) versionOf(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", path, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	stamp := stampOf(info)
	if known, ok := r.versions[path]; ok && known.stamp == stamp {
		return known.text, nil
	}
	limited, cancel := context.WithTimeout(ctx, versionLimit)
	defer cancel()
	var said bytes.Buffer
	runErr := r.Run(limited, Spec{Path: path, Args: []string{"--version"}, Stdout: &bounded{to: &said}})
	if ctx.Err() != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, ctx.Err())
	}
	found := version{stamp: stamp}
	if runErr == nil {
		found.text = VersionIn(filepath.Base(path), said.String())
	}
	if r.versions == nil {
		r.versions = map[string]version{}
	}
	r.versions[path] = found
	return found.text, nil
}

func stampOf(info fs.FileInfo) string {
	return fmt.Sprintf("%d %s", info.Size(), info.ModTime().Format(time.RFC3339Nano))
}

// VersionIn takes the first number of the first line that is not part of the
// program's own name: "Redis server v=7.0.15 sha=…", "pg_dump (PostgreSQL) 15.20".
func VersionIn(program, said string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	line = strings.TrimPrefix(line, program)
	return regexp.MustCompile(`[0-9]+(\.[0-9]+)*`).FindString(line)
}

// MajorOf is -1 for a version that is not known.
func MajorOf(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return -1
	}
	return n
}

func compare(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		return cmp.Compare(MajorOf(a), MajorOf(b))
	})
}
