package recover_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"upkeep/internal/capability/recover"
	"upkeep/internal/config"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
	"upkeep/internal/service/process"
	"upkeep/internal/service/servicetest"
)

// lost is a store whose document is torn, with a right copy beside it and a writer that is
// declared by an argument that no other process has.
func lost(t *testing.T, argument string) (recover.Recover, string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.json": "torn", "a copy.json": `{"models": {"gpt": {"total": 5}}}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, problems := config.Parse(filepath.Join(dir, "upkeep.yaml"), fmt.Appendf(nil, `
system: bench
services:
  batch: {kind: process, command: [sleep, "%s"], expect: either}
  results:
    kind: dataset
    dir: %q
    writers: [batch]
    tables: {leaves: {document: a.json, rows: "models/{model}", columns: {total: integer}, key: [model]}}
    saves: {leaves: ["a*.json"]}
`, argument, dir), service.NewRegistry(process.Kind, dataset.Kind))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	inv := inventory.New(cfg, func(string) service.Env { return servicetest.Env(t) })
	target, _ := inv.Target("results")
	return recover.Recover{Inventory: inv, Target: target, Wanted: service.Wanted{Accepted: func(service.Finding) bool { return false }}}, filepath.Join(dir, "a.json")
}

// do does a step of a target that is opened for it.
func do(t *testing.T, r recover.Recover, s service.Step, earlier map[string]service.Done) (service.Outcome, error) {
	t.Helper()
	target, _ := r.Inventory.Target(s.Target)
	in, err := target.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	return r.Do(t.Context(), service.Task{Step: s, Instance: in, Earlier: earlier})
}

// Nothing is put in place while a declared writer runs, whether it did not end or came back.
func TestNothingIsPutUnderAWriter(t *testing.T) {
	argument := fmt.Sprintf("%d", 100000000+os.Getpid())
	r, path := lost(t, argument)
	writer := exec.Command("sleep", argument)
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- writer.Wait() }()
	t.Cleanup(func() { writer.Process.Kill() })
	steps, err := r.Steps(t.Context())
	if err != nil || len(steps.Halts) != 1 || len(steps.Puts) != 1 {
		t.Fatalf("steps %+v, %v", steps, err)
	}
	var fault *service.Fault
	if _, err := do(t, r, steps.Puts[0], nil); !errors.As(err, &fault) || fault.ID != "recover.writes-again" || fault.Args["pid"] != writer.Process.Pid {
		t.Errorf("under a writer: %v", err)
	}
	out, err := do(t, r, steps.Halts[0], nil)
	if err != nil || len(out.Verdict.Findings) != 1 || out.Verdict.Findings[0].Args["processes"] != 1 {
		t.Errorf("ended %+v, %v", out.Verdict, err)
	}
	<-ended
	if _, err := do(t, r, steps.Puts[0], map[string]service.Done{steps.Halts[0].ID: {Failed: true}}); !errors.Is(err, service.ErrRefused) {
		t.Errorf("after a writer that did not end: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "torn" {
		t.Errorf("it holds %s, %v", text, err)
	}
	if _, err := do(t, r, steps.Puts[0], map[string]service.Done{steps.Halts[0].ID: {}}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) == "torn" {
		t.Errorf("it holds %s, %v", text, err)
	}
}
