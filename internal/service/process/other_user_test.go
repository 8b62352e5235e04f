package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/service"
	"upkeep/lab"
)

// TestOtherUsersProcesses looks as nobody at a process of root.
func TestOtherUsersProcesses(t *testing.T) {
	lab.Need(t, "root")
	name := program(t)
	child(t, "wait", name)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(publicCopy(t, exe), exe, name)
	cmd.Env = []string{"UPKEEP_TEST_ROLE=look"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "by command: \nby executable: unknown not-visible \nits connections: unknown sockets-hidden \n" +
		"samples by command: true true\nsamples by executable: false false\n"
	if string(out) != want {
		t.Errorf("nobody sees\n%swant\n%s", out, want)
	}
}

// publicCopy makes a copy of a program that every user may run.
func publicCopy(t *testing.T, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "uk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// look says what a check finds of a program, and whether samples come.
func look(exe, name string) {
	judge("by command", Config{Command: []string{name}, Expect: Alive})
	judge("by executable", Config{Exe: exe, Expect: Alive})
	judge("its connections", Config{Command: []string{name}, Expect: Alive, CloseWait: 1})
	sampled("by command", Config{Command: []string{name}})
	sampled("by executable", Config{Exe: exe})
}

func judge(what string, cfg Config) {
	in := lookFor(cfg)
	v, err := in.Check(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Print(what, ": ")
	for _, f := range v.Findings {
		fmt.Print(f.Severity, " ", f.ID, " ")
	}
	fmt.Println()
}

func sampled(what string, cfg Config) {
	n := 0
	err := lookFor(cfg).Collect(context.Background(), func(*dto.MetricFamily) { n++ })
	if err != nil && !errors.Is(err, service.ErrDenied) {
		panic(err)
	}
	fmt.Printf("samples %s: %v %v\n", what, n > 0, err == nil)
}

func lookFor(cfg Config) *Instance {
	in, err := open(service.Env{Target: "target", State: forgetful{}, Now: time.Now}, cfg)
	if err != nil {
		panic(err)
	}
	return in
}

// forgetful is a State for one run.
type forgetful struct{}

func (forgetful) Get(context.Context, string) (string, error) { return "", nil }
func (forgetful) Set(context.Context, string, string) error   { return nil }
