package acceptance

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestSoakKilledAtAnyTime kills a job at moments drawn by chance, again while it
// resumes, and lets it end: every job must end proven, whatever it was at.
func TestSoakKilledAtAnyTime(t *testing.T) {
	s := newSystem(t, "")
	begun := time.Now()
	s.must("run", "daily")
	length, resumed := time.Since(begun), 0
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	for i := range tries() {
		first := time.Duration(random.Int64N(int64(length)))
		s.killed(first, "run", "daily")
		job := s.must("runs").Get(`runs.#(verb=="run")`)
		if job.Get("took_s").Float() == 0 { // still open
			resumed++
			s.killed(time.Duration(random.Int64N(int64(length))), "run", "--resume", job.Get("run").String())
			s.resume(job.Get("run").String())
		}
		id := job.Get("run").String()
		done := s.must("show", id)
		point := done.Get(`steps.#(verb=="backup").run`).String()
		found := s.must("points").Get(`points.#(id=="` + point + `")`)
		if done.Get("exit_code").Int() != 0 || !found.Get("complete").Bool() || found.Get("proven").String() == "" {
			t.Errorf("try %d, killed after %s: %s\n%s", i, first, done.Raw, found.Raw)
			s.showFailed(done)
		}
	}
	s.must("drill")
	s.must("audit-log", "verify")
	left, err := os.ReadDir(s.path("scratch"))
	for _, entry := range left {
		if entry.IsDir() {
			t.Errorf("%s is left in scratch", entry.Name())
		}
	}
	if err != nil || resumed == 0 {
		t.Errorf("%d of %d were resumed, %v", resumed, tries(), err)
	}
	t.Logf("killed at any time: %d of %d jobs were cut, all ended proven", resumed, tries())
}

// showFailed logs in full the runs of a job that did not end well.
func (s *system) showFailed(job gjson.Result) {
	s.t.Helper()
	for _, step := range job.Get("steps").Array() {
		if step.Get("exit_code").Int() != 0 && step.Get("run").Exists() {
			s.t.Logf("%s: %s", step.Get("verb"), s.must("show", step.Get("run").String()).Raw)
		}
	}
}

// killed runs upkeep and kills it after a while, unless it has ended by itself.
func (s *system) killed(after time.Duration, args ...string) {
	s.t.Helper()
	cmd := s.command(append(args, "--json")...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer timer.Stop()
	err := cmd.Wait()
	var ended *exec.ExitError
	if err == nil {
		return
	}
	if !errors.As(err, &ended) || !ended.Sys().(syscall.WaitStatus).Signaled() {
		s.t.Errorf("upkeep %v: %v", args, err)
	}
}

// resume continues a run unless the killed process had just ended it.
func (s *system) resume(id string) {
	s.t.Helper()
	out, code := s.run("run", "--resume", id)
	if code == 6 && out.Get("error.detail").String() != "" && s.must("show", id).Get("took_s").Float() > 0 {
		return
	}
	if code != 0 {
		s.t.Errorf("resuming %s exited with %d:\n%s", id, code, out.Raw)
	}
}
