// Package measure runs a program and says what it cost.
package measure

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Cost is what one finished program took, the programs it waited for included.
type Cost struct {
	Wall, CPU time.Duration
	// Peak is the largest resident set of any one process, in bytes. The kernel
	// starts counting before exec, so it is never below our own; see Floor.
	Peak int64
}

// Cmd is one program to measure.
type Cmd struct {
	Argv []string
	Env  []string // the whole environment
	Dir  string
	// OK lists exit codes that count as done beside 0.
	OK []int
	// Told gets each line of standard error as it comes, with the time since the start.
	Told func(line string, after time.Duration)
}

// Run runs c to its end. An error carries what the program said.
func Run(ctx context.Context, c Cmd) (Cost, []byte, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	start := time.Now()
	if c.Told != nil {
		cmd.Stderr = io.MultiWriter(&said, &teller{told: c.Told, start: start})
	}
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil && (cmd.ProcessState == nil || !slices.Contains(c.OK, cmd.ProcessState.ExitCode())) {
		return Cost{}, nil, fmt.Errorf("%s %q: %w:\n%s%s", filepath.Base(c.Argv[0]), c.Argv[1:], err, said.Bytes(), out.Bytes())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage) // on Linux it is nothing else
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return Cost{Wall: wall, CPU: cpu, Peak: usage.Maxrss << 10}, out.Bytes(), nil
}

// teller cuts what is written into lines.
type teller struct {
	told  func(line string, after time.Duration)
	start time.Time
	rest  []byte
}

func (t *teller) Write(p []byte) (int, error) {
	t.rest = append(t.rest, p...)
	for {
		line, rest, whole := bytes.Cut(t.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		t.told(string(line), time.Since(t.start))
		t.rest = rest
	}
}

// Floor is the peak that a program without any memory of its own would show.
func Floor(ctx context.Context) (int64, error) {
	cost, _, err := Run(ctx, Cmd{Argv: []string{"/bin/true"}})
	return cost.Peak, err
}

// Median of all runs, field by field.
func Median(runs []Cost) Cost {
	return Cost{
		Wall: Middle(each(runs, func(c Cost) time.Duration { return c.Wall })),
		CPU:  Middle(each(runs, func(c Cost) time.Duration { return c.CPU })),
		Peak: Middle(each(runs, func(c Cost) int64 { return c.Peak })),
	}
}

// Middle is the median; of an even number of values the upper of the two. It is
// zero without values.
func Middle[T cmp.Ordered](values []T) T {
	var none T
	if len(values) == 0 {
		return none
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func each[T any](runs []Cost, field func(Cost) T) []T {
	values := make([]T, 0, len(runs))
	for _, r := range runs {
		values = append(values, field(r))
	}
	return values
}
