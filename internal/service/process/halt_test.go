package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// alive reports whether a child has not ended; its test collects it later.
func (c *subject) alive() bool {
	text, err := os.ReadFile(filepath.Join("/proc", c.pid(), "stat"))
	var pid int
	var name, state string
	_, scanned := fmt.Sscan(string(text), &pid, &name, &state)
	return err == nil && scanned == nil && state != "Z"
}

func TestHaltEndsWhatIsMeantAndWhatThatHasStarted(t *testing.T) {
	name := program(t)
	meant := child(t, "parent of one that burns", name, "run.py", "--api-key", "sk-1")
	editor := child(t, "wait", "vim", name, "run.py")
	in := watch(t, servicetest.Env(t), "command: ["+name+", run.py]")
	running, err := in.Running(t.Context())
	if err != nil || len(running) != 2 || running[0].Command != name+" run.py --api-key …" || running[1].Meant || !running[0].Meant {
		t.Fatalf("running %+v, %v", running, err)
	}
	ended, err := in.Halt(t.Context())
	if err != nil || len(ended) != 2 || ended[0].Killed || ended[1].Killed || strconv.Itoa(ended[0].PID) != meant.pid() {
		t.Errorf("ended %+v, %v", ended, err)
	}
	if meant.alive() || !editor.alive() {
		t.Errorf("meant alive: %v, editor alive: %v", meant.alive(), editor.alive())
	}
	if again, err := in.Halt(t.Context()); err != nil || len(again) > 0 {
		t.Errorf("a second time: %+v, %v", again, err)
	}
}

func TestHaltKillsWhatDoesNotListen(t *testing.T) {
	name := program(t)
	deaf, listening := child(t, "deaf", name), child(t, "wait", name)
	in := watch(t, servicetest.Env(t), "{command: ["+name+"], stop_within: 100ms}")
	ended, err := in.Halt(t.Context())
	killed := map[string]bool{}
	for _, p := range ended {
		killed[strconv.Itoa(p.PID)] = p.Killed
	}
	if err != nil || len(ended) != 2 || !killed[deaf.pid()] || killed[listening.pid()] || deaf.alive() || listening.alive() {
		t.Errorf("ended %+v, %v", ended, err)
	}
}

// A stopped process takes no signal before it goes on.
func TestHaltEndsAStoppedProcess(t *testing.T) {
	name := program(t)
	c := child(t, "wait", name)
	in := watch(t, servicetest.Env(t), "command: ["+name+"]")
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return stateOf(t, in, c.Process.Pid) == "T" })
	ended, err := in.Halt(t.Context())
	if err != nil || len(ended) != 1 || !ended[0].Stopped || ended[0].Killed || c.alive() {
		t.Errorf("ended %+v, %v", ended, err)
	}
}

func TestHaltRefusesWhatIsStartedAgain(t *testing.T) {
	name := program(t)
	supervisor := child(t, "supervisor", "keeper", name)
	in := watch(t, servicetest.Env(t), "command: ["+name+"]")
	until(t, func() bool {
		running, err := in.Running(t.Context())
		return err == nil && len(running) == 1
	})
	_, err := in.Halt(t.Context())
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != "process.comes-back" || !errors.Is(err, service.ErrRefused) || fmt.Sprint(fault.Args["parent"]) != supervisor.pid() {
		t.Errorf("error %v: %+v", err, fault)
	}
}

func TestHaltNeverEndsItselfNorWhatStartedIt(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own := watch(t, servicetest.Env(t), "exe: "+exe)
	if running, err := own.Running(t.Context()); err != nil || len(running) > 0 {
		t.Errorf("of its own program %+v, %v", running, err)
	}
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getppid())), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = watch(t, servicetest.Env(t), "pidfile: "+file).Halt(t.Context())
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != "process.above-upkeep" {
		t.Errorf("its parent: %v", err)
	}
}

func TestCommandLinesAreShownWithoutSecrets(t *testing.T) {
	for want, argv := range map[string][]string{
		"python run.py --model 'gpt 4'":               {"python", "run.py", "--model", "gpt 4"},
		"run --api-key=… --token … --key-file … x":    {"run", "--api-key=sk-1", "--token", "abc", "--key-file", "f", "x"},
		"env OPENAI_API_KEY=… python 'it'\\''s' keys": {"env", "OPENAI_API_KEY=sk", "python", "it's", "keys"},
	} {
		if got := typed(argv); got != want {
			t.Errorf("%q becomes %s, want %s", argv, got, want)
		}
	}
}
