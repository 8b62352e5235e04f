package acceptance

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shells are programs that run what they are told as a command line.
var shells = []string{"sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "fish", "busybox"}

// TestNoShellInTheProgram reads every file of the program: processes are started
// in three places, by argv, and no shell is named but where completion is printed
// for it.
func TestNoShellInTheProgram(t *testing.T) {
	starters := map[string]bool{}
	for _, root := range []string{"../cmd", "../internal"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "servicetest") {
				readProgram(t, path, starters)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"../internal/command", "../internal/service/rabbitmq", "../internal/service/s3"}
	var got []string
	for dir := range starters {
		got = append(got, dir)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("processes are started in %v, want %v", got, want)
	}
}

func readProgram(t *testing.T, path string, starters map[string]bool) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			from, _ := n.X.(*ast.Ident)
			if from != nil && slices.Contains([]string{"exec.Command", "exec.CommandContext", "os.StartProcess", "syscall.ForkExec",
				"syscall.Exec", "syscall.StartProcess", "unix.Exec"}, from.Name+"."+n.Sel.Name) {
				starters[filepath.Dir(path)] = true
			}
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if err == nil && n.Kind == token.STRING && slices.Contains(shells, filepath.Base(text)) && filepath.Dir(path) != "../internal/surface/cli" {
				t.Errorf("%s names the shell %q", path, text)
			}
		}
		return true
	})
}

// TestNoShellWhileItWorks watches the system calls of a whole job and of a restore.
// Programs of PostgreSQL start shells themselves (initdb asks postgres for its
// version so); upkeep must start none.
func TestNoShellWhileItWorks(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Log("strace is not installed: only the source was read")
		return
	}
	s := newSystem(t, "")
	for i, args := range [][]string{{"run", "daily"}, {"points", "export", "latest", "copy.tar.zst"}} {
		trace := s.path("trace" + strconv.Itoa(i))
		cmd := s.command()
		traced := exec.Command("strace", append([]string{"-f", "-qq", "-o", trace, "-e", "trace=execve,clone,clone3,fork,vfork", cmd.Path}, args...)...)
		traced.Dir, traced.Env = cmd.Dir, cmd.Env
		if out, err := traced.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		started := startedBy(t, trace)
		if i == 0 && !slices.Contains(started, "pg_dump") {
			t.Errorf("the trace does not show what upkeep starts: %v", started)
		}
		for _, program := range started {
			if slices.Contains(shells, program) {
				t.Errorf("%v: upkeep started %s", args, program)
			}
		}
	}
}

var (
	cloned   = regexp.MustCompile(`^(\d+) +(?:<\.\.\. )?(?:clone3?|v?fork)\b.*= (\d+)$`)
	executed = regexp.MustCompile(`^(\d+) +execve\("([^"]+)"`)
)

// startedBy lists the programs that the traced process itself started: the first
// program of every process that one of its threads made.
func startedBy(t *testing.T, trace string) (programs []string) {
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	first, _, _ := strings.Cut(lines[0], " ")
	maker, ran := map[string]string{}, map[string]bool{}
	for _, line := range lines { // the child may have run its program before its maker's call returned
		if m := cloned.FindStringSubmatch(line); m != nil {
			maker[m[2]] = m[1]
		}
	}
	own := func(id string) bool { // a thread of the traced process has run no program of its own
		for ; id != first; id = maker[id] {
			if id == "" || ran[id] {
				return false
			}
		}
		return true
	}
	for _, line := range lines {
		m := executed.FindStringSubmatch(line)
		if m == nil || m[1] == first {
			continue
		}
		if own(maker[m[1]]) {
			programs = append(programs, filepath.Base(m[2]))
		}
		ran[m[1]] = true
	}
	return programs
}
