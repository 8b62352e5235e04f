package acceptance

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// holdRole makes the test binary a program that holds memory: its value is a size in MB,
// by how many MB it grows each second, and whether it uses a core.
const holdRole = "UPKEEP_ACCEPTANCE_HOLD"

// hold NAME MB [grow=MB] [burn] [times=N]: starts a program of that name, N times, that holds
// so much memory, grows by so much a second, and uses a core. They end with the script.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: hold NAME MB [grow=MB] [burn] [times=N]")
	}
	exe, err := os.Executable()
	ts.Check(err)
	mb, err := strconv.Atoi(args[1])
	ts.Check(err)
	role := map[string]int{"mb": mb, "times": 1}
	for _, arg := range args[2:] {
		name, value, _ := strings.Cut(arg, "=")
		n, err := strconv.Atoi(cmp.Or(value, "1"))
		ts.Check(err)
		role[name] = n
	}
	for range role["times"] {
		ts.Check(holdOne(ts, exe, args[0], fmt.Sprint(role["mb"], role["grow"], role["burn"])))
	}
}

func holdOne(ts *testscript.TestScript, exe, name, role string) error {
	cmd := &exec.Cmd{Path: exe, Args: []string{name}, Env: append(os.Environ(), holdRole+"="+role)}
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	_, err = bufio.NewReader(out).ReadString('\n')
	ended := make(chan struct{})
	go func() { // also of one that the script ends itself
		_ = cmd.Wait()
		close(ended)
	}()
	ts.Defer(func() {
		_ = in.Close() // it ends with its input
		<-ended
	})
	return err
}

// holding is that program. It takes its memory from the kernel itself, so that no collector
// doubles it or gives it back.
func holding(role string) error {
	var size, step, burn int
	if _, err := fmt.Sscan(role, &size, &step, &burn); err != nil {
		return err
	}
	if err := touch(size * 1e6); err != nil {
		return err
	}
	fmt.Println("ready")
	for range burn {
		go func() {
			for n := 0; ; n++ {
				runtime.KeepAlive(n)
			}
		}()
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the script has ended
		close(ended)
	}()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-ended:
			return nil
		case <-tick.C:
			if step == 0 {
				continue
			}
			if err := touch(step * 1e5); err != nil {
				return err
			}
		}
	}
}

// touch takes so many bytes and writes into each page.
func touch(bytes int) error {
	memory, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := 0; i < len(memory); i += unix.Getpagesize() {
		memory[i] = 1
	}
	return nil
}
