package serve

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/control"
)

// trimEvery is how often pages are given back: after a start within the first steps, after
// a job soon enough. Those in use come back by some hundred page faults, a few milliseconds.
const trimEvery = 5 * time.Minute

// trimmer gives back the parts of the program's file that only its start or a job needed. They count
// as its memory as long as they are mapped, most of what it has when idle, and the kernel
// takes them only when memory is short.
type trimmer struct{ process *Process }

func newTrimmer(_ context.Context, p *Process) (part, []route, error) {
	return &trimmer{p}, nil, nil
}

func (*trimmer) Name() string { return "trim" }

func (t *trimmer) Run(ctx context.Context) error {
	for wait := time.Minute; ; wait = trimEvery {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if err := trim(); err != nil {
			t.process.Log().Debug("memory not given back", "error", err) // nothing else depends on it
		}
	}
}

// Reload changes nothing.
func (*trimmer) Reload(context.Context, *control.App) error { return nil }

// trim unmaps the pages of what is read from the program's file and never written.
func trim() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close()
	var from, to uintptr
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var written int
		switch line := lines.Text(); {
		case strings.HasSuffix(line, program):
			from, to = unwritten(line)
		case from != 0 && strings.HasPrefix(line, "Anonymous:"):
			// Pages that were written to on the way, by the linker, are not in the file.
			if _, err := fmt.Sscanf(line, "Anonymous: %d kB", &written); err == nil && written == 0 {
				if err := giveBack(from, to-from); err != nil {
					return fmt.Errorf("give back %x-%x: %w", from, to, err)
				}
			}
			from = 0
		}
	}
	return lines.Err()
}

// giveBack also has the kernel map small pages from now on: where the file lies in the cache in
// pages of 2 MB, as after it was just written, one function brings back so much.
func giveBack(from, length uintptr) error {
	for _, advice := range []uintptr{unix.MADV_NOHUGEPAGE, unix.MADV_DONTNEED} {
		if _, _, failed := unix.Syscall(unix.SYS_MADVISE, from, length, advice); failed != 0 && failed != unix.EINVAL {
			return failed // a kernel without huge pages does not know the first
		}
	}
	return nil
}

// unwritten is the range of a mapping that nothing may write to, else 0.
func unwritten(line string) (from, to uintptr) {
	var rights string
	if n, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &rights); n != 3 || err != nil || !strings.HasPrefix(rights, "r-") {
		return 0, 0
	}
	return from, to
}
