package process

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestZombieIsNotAlive(t *testing.T) {
	env := servicetest.Env(t)
	name := program(t)
	in := watch(t, env, "command: ["+name+"]")
	c := child(t, "wait", name)
	if got, _ := check(t, in); len(got) > 0 {
		t.Fatalf("found %v", got)
	}
	c.Process.Kill() // and not collected
	until(t, func() bool { return stateOf(t, in, c.Process.Pid) == "Z" })
	for range 2 {
		got, facts := check(t, in)
		if got["absent"].ID == "" || got["defunct"].Severity != service.Warning || facts["running"] != 0 {
			t.Errorf("found %v, facts %v", got, facts)
		}
	}
}

func TestZombieOfAPidfileIsNotAlive(t *testing.T) {
	env := servicetest.Env(t)
	c := child(t, "wait", program(t))
	c.Process.Kill()
	if err := os.WriteFile(filepath.Join(env.Base, "pid"), []byte(c.pid()), 0o600); err != nil {
		t.Fatal(err)
	}
	in := watch(t, env, "pidfile: pid")
	until(t, func() bool { return stateOf(t, in, c.Process.Pid) == "Z" })
	if got, _ := check(t, in); got["absent"].ID == "" || got["defunct"].ID == "" {
		t.Errorf("found %v", got)
	}
}

func stateOf(t *testing.T, in *Instance, pid int) string {
	t.Helper()
	p, err := in.proc.Proc(pid)
	if err != nil {
		t.Fatal(err)
	}
	stat, err := p.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return stat.State
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for !done() {
		select {
		case <-t.Context().Done():
			t.Fatal("it never came to that")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestStoppedIsFoundAtOnce(t *testing.T) {
	name := program(t)
	c := child(t, "wait", name)
	in := watch(t, servicetest.Env(t), "command: ["+name+"]")
	c.Process.Signal(syscall.SIGSTOP)
	until(t, func() bool { return stateOf(t, in, c.Process.Pid) == "T" })
	if got, _ := check(t, in); got["stopped"].Severity != service.Critical {
		t.Errorf("found %v", got)
	}
}

func TestHungIsFoundAfterTheDeclaredTime(t *testing.T) {
	name := program(t)
	env := servicetest.Env(t)
	now := time.Now()
	env.Now = func() time.Time { return now }
	c := child(t, "wait", name)
	in := watch(t, env, "{command: ["+name+"], progress: 10m}")
	c.Process.Signal(syscall.SIGSTOP) // so that no timer of its runtime ticks
	until(t, func() bool { return stateOf(t, in, c.Process.Pid) == "T" })
	rounds := []struct {
		after time.Duration
		hung  bool
	}{{0, false}, {9 * time.Minute, false}, {time.Minute, true}, {time.Hour, true}}
	for _, r := range rounds {
		now = now.Add(r.after)
		g, err := in.find(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.alive {
			g.alive[i].State = "S"
		}
		if got := in.remembering(t, g); got != r.hung {
			t.Errorf("after another %s hung is %v", r.after, got)
		}
	}
}

// remembering judges a look as Check does and keeps it for the next.
func (in *Instance) remembering(t *testing.T, g group) (hung bool) {
	t.Helper()
	last, err := in.recall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now := in.compare(g, last)
	var v service.Verdict
	in.judgeStates(g, now, &v)
	if err := in.remember(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	return len(v.Findings) == 1 && v.Findings[0].ID == "hung"
}

func TestBusyIsNotHung(t *testing.T) {
	for _, role := range []string{"burn", "parent of one that burns"} {
		t.Run(role, func(t *testing.T) {
			name := program(t)
			env := servicetest.Env(t)
			now := time.Now()
			env.Now = func() time.Time { return now }
			child(t, role, name)
			in := watch(t, env, "{command: ["+name+"], progress: 10m}")
			before := ticks(t, in)
			check(t, in)
			until(t, func() bool { return ticks(t, in) > before+2 })
			now = now.Add(time.Hour)
			if got, _ := check(t, in); len(got) > 0 {
				t.Errorf("found %v", got)
			}
		})
	}
}

// ticks is the processor time of the whole group as the check sees it.
func ticks(t *testing.T, in *Instance) (sum uint64) {
	t.Helper()
	g, err := in.find(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range in.compare(g, memory{}).Procs {
		sum += p.Ticks
	}
	return sum
}

func TestRestartsAreCounted(t *testing.T) {
	name := program(t)
	env := servicetest.Env(t)
	first := child(t, "wait", name)
	in := watch(t, env, "command: ["+name+"]")
	if _, facts := check(t, in); facts["restarts"] != nil {
		t.Errorf("the first run knows of restarts: %v", facts)
	}
	if _, facts := check(t, in); facts["restarts"] != 0 {
		t.Errorf("nothing changed: %v", facts)
	}
	first.end()
	child(t, "wait", name)
	if _, facts := check(t, in); facts["restarts"] != 1 {
		t.Errorf("restarted: %v", facts)
	}
}

func TestAnotherBootForgets(t *testing.T) {
	name := program(t)
	env := servicetest.Env(t)
	child(t, "wait", name)
	in := watch(t, env, "{command: ["+name+"], progress: 10m}")
	last := memory{Boot: "another", At: time.Now(), Procs: map[string]seen{"1:1": {}}}
	if err := in.remember(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	if got, facts := check(t, in); len(got) > 0 || facts["restarts"] != nil {
		t.Errorf("found %v, facts %v", got, facts)
	}
}

func TestConnectionsThatTheOtherSideClosed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	name := program(t)
	accepted := make(chan net.Conn, 4)
	go func() {
		for range 4 {
			if c, err := listener.Accept(); err == nil {
				accepted <- c
			}
		}
	}()
	child(t, "client", name, listener.Addr().String())
	in := watch(t, servicetest.Env(t), "{command: ["+name+"], close_wait: 1}")
	if got, facts := check(t, in); len(got) > 0 || facts["close_wait"] != 0 {
		t.Errorf("found %v while all are open", got)
	}
	for range 4 {
		(<-accepted).Close()
	}
	until(t, func() bool { _, facts := check(t, in); return facts["close_wait"].(int) > 0 })
	if got, _ := check(t, in); got["close-wait"].Severity != service.Critical {
		t.Errorf("found %v", got)
	}
}
