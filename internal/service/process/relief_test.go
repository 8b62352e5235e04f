package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// leaking is a target whose one process was seen to grow for two hours, and how it would be
// restarted: that process, and what the program that does it is given.
func leaking(t *testing.T) (in *Instance, c *subject, ran *[]service.Cmd) {
	t.Helper()
	name := program(t)
	env := servicetest.Env(t)
	now := time.Now()
	env.Now = func() time.Time { return now }
	c, ran = child(t, "wait", name), new([]service.Cmd)
	env.Run = func(_ context.Context, cmd service.Cmd) error {
		*ran = append(*ran, cmd)
		return c.Process.Signal(syscall.SIGKILL)
	}
	in = watch(t, env, "{command: ["+name+"], expect: either, growth: {per_hour: 1 MB, unsaved: [temp/*.json], restart: [systemctl, restart, runner]}}")
	p, err := in.measured(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := in.find(t.Context(), nil)
	if err != nil || len(g.alive) != 1 {
		t.Fatalf("%d run, %v", len(g.alive), err)
	}
	weights, err := in.footprints(t.Context(), g)
	if err != nil {
		t.Fatal(err)
	}
	f := weights[key(g.alive[0])]
	p.Procs = map[string][]point{}
	for i := range int64(12) {
		at := now.Add(-time.Duration(12-i) * 10 * time.Minute)
		p.Procs[key(g.alive[0])] = append(p.Procs[key(g.alive[0])], point{At: at.UnixMilli(), Bytes: f.bytes - (12-i)*megabyte, Exact: f.exact})
	}
	if err := in.keepMeasured(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return in, c, ran
}

func plannedOne(t *testing.T, in *Instance) service.Step {
	t.Helper()
	steps, err := in.Maintenance(t.Context())
	if err != nil || len(steps) != 1 {
		t.Fatalf("planned %v, %v", steps, err)
	}
	return steps[0]
}

func TestLeakIsRestartedBetweenBatches(t *testing.T) {
	in, c, ran := leaking(t)
	unsaved := filepath.Join(in.env.Base, "temp", "result.json")
	save := func() {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(unsaved), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(unsaved, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save()
	wait := plannedOne(t, in)
	if out, err := in.Do(t.Context(), wait, service.Report{}); wait.Op != opWait || err != nil || out.Verdict.Findings[0].ID != "restart-waits" {
		t.Errorf("in the middle of a batch: %v gives %v, %v", wait, out, err)
	}
	if err := os.Remove(unsaved); err != nil {
		t.Fatal(err)
	}
	restart := plannedOne(t, in)
	if restart.Op != opRestart || restart.Risk != service.Disruptive {
		t.Errorf("between two batches: %+v", restart)
	}
	save() // another batch has begun
	if _, err := in.Do(t.Context(), restart, service.Report{}); !errors.Is(err, service.ErrStale) || len(*ran) > 0 {
		t.Errorf("another batch has begun: %v, ran %v", err, *ran)
	}
	if err := os.Remove(unsaved); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time finds its work done
		if _, err := in.Do(t.Context(), restart, service.Report{}); err != nil || len(*ran) != 1 || (*ran)[0].Program != "systemctl" {
			t.Errorf("%v, ran %v", err, *ran)
		}
	}
	c.end()
	if steps, err := in.Maintenance(t.Context()); err != nil || len(steps) > 0 {
		t.Errorf("what is gone is planned for: %v, %v", steps, err)
	}
}
