// Package command finds and runs client programs. It passes arguments as they
// are and never through a shell, gives a child a minimal environment, and leaves
// no child behind when its context ends or upkeep is killed. It knows nothing of
// what the programs do.
package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrNotFound means that no program of that name, or none new enough, is
// installed.
var ErrNotFound = errors.New("program not found")

// Runner finds and runs programs. The zero value looks where every program of
// this machine is; it is safe for concurrent use.
type Runner struct {
	Paths []string // directories that are looked in first
	PATH  string   // as in the environment; empty = that of this process
	// Grace is how long a program may take to end after SIGTERM before SIGKILL;
	// 0 = 5 s: enough to remove temporary files, short for somebody at a prompt.
	Grace time.Duration

	mu       sync.Mutex
	versions map[string]version // by path: a program is asked once
}

// Spec is one program to run.
type Spec struct {
	Path   string    // absolute, as Find returns it
	Args   []string  // without the program itself; never a secret: others can read them
	Env    []string  // KEY=value, added to PATH, HOME, LANG, LC_ALL and TZ; the place for a password
	Dir    string    // empty = that of this process, or / for another user
	Stdin  io.Reader // nil = empty. An error of it kills the program before it could take the end of the data for the whole.
	Stdout io.Writer // nil = discarded. An error of it kills the program.
	User   string    // to run as when upkeep runs as root: a name or UID:GID; empty = as upkeep itself
	// Search lets it, as User, pass directories and read files that are closed to that
	// user: what is its own may lie where only root gets to.
	Search bool
	// End asks the program to end when ctx does, and when upkeep is killed in place of
	// SIGKILL; 0 = SIGTERM, and SIGKILL then.
	End syscall.Signal
}

// ExitError is a program that ended in failure or was killed.
type ExitError struct {
	Program string
	Code    int    // -1 when a signal ended it
	State   string // "exit status 1", "signal: killed"
	Stderr  string // the end of what it wrote, without secrets of its environment
}

func (e *ExitError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("%s: %s", e.Program, e.State)
	}
	return fmt.Sprintf("%s: %s: %s", e.Program, e.State, e.Stderr)
}

const (
	// tailSize is what is kept of a program's standard error, in bytes.
	tailSize = 8 << 10
	// versionLimit is how long a program may take to tell its version.
	versionLimit = 10 * time.Second
	// outputLimit is what Output holds in memory at most, in bytes.
	outputLimit = 1 << 20
)

// Tail keeps the last bytes written to it: what a program said at its end.
type Tail struct {
	Limit int // in bytes; 0 = 8 KiB

	mu   sync.Mutex
	kept []byte
	cut  bool
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if limit := cmp.Or(t.Limit, tailSize); len(t.kept) > 2*limit { // not with every write: it moves all that is kept
		t.trim(limit)
	}
	return len(p), nil
}

func (t *Tail) trim(limit int) {
	if over := len(t.kept) - limit; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
}

// String is what was kept, without blanks around it.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(cmp.Or(t.Limit, tailSize))
	text := strings.ToValidUTF8(strings.TrimSpace(string(t.kept)), "\uFFFD")
	if t.cut {
		return "… " + text
	}
	return text
}

// WithoutSecrets replaces values of an environment whose names say that they are
// secret. Shorter ones than five bytes would take half the text with them.
func WithoutSecrets(text string, env []string) string {
	for _, variable := range env {
		name, value, _ := strings.Cut(variable, "=")
		name = strings.ToUpper(name)
		for _, mark := range []string{"PASS", "SECRET", "TOKEN", "KEY", "AUTH"} {
			if strings.Contains(name, mark) && len(value) >= 5 {
				text = strings.ReplaceAll(text, value, "…")
			}
		}
	}
	return text
}

func (r *Runner) grace() time.Duration { return cmp.Or(r.Grace, 5*time.Second) }

// environment is what every child gets. Messages are English, so that errors
// read alike everywhere.
func (r *Runner) environment(home string) []string {
	return []string{"PATH=" + r.path(), "HOME=" + home, "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=" + os.Getenv("TZ")}
}

func (r *Runner) path() string {
	if r.PATH != "" {
		return r.PATH
	}
	return os.Getenv("PATH")
}
