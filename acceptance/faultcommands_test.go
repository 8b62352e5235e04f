package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/internal/database"
	"upkeep/lab"
)

// patience is how long a script waits for a state before it gives up: far longer
// than it takes, because a loaded machine must not fail a test.
const patience = 60 * time.Second

// faultCommands are what the scripts about faults need beside commands().
func faultCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"spawn":     spawn,
		"signal":    sendSignal,
		"ended":     ended,
		"opens":     opens,
		"reads":     reads,
		"runs":      runsChild,
		"begun":     begun,
		"orphans":   orphans,
		"sees":      sees,
		"nowhere":   nowhere,
		"nofiles":   noFiles,
		"smalldisk": smallDisk,
		"filldisk":  fillDisk,
		"freedisk":  freeDisk,
		"grow":      grow,
		"hostile":   hostile,
		"takeaway":  takeAway,
		"isback":    isBack,
		"rest":      rest,
	}
}

// condition knows [root]: what needs it is left out on a laptop.
func condition(name string) (bool, error) {
	if name == "root" {
		return lab.Find("root") == nil, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

type faultKey struct{}

// faults are what one script has spawned and filled.
type faults struct {
	jobs  map[string]*spawned
	disks map[string]func()
	grows map[string]func()
}

// spawned is a program that a script started and goes on beside it.
type spawned struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read it after done
	kin  []process     // what it had started when it got its last signal
}

func job(ts *testscript.TestScript, name string) *spawned {
	j, ok := ts.Value(faultKey{}).(*faults).jobs[name]
	if !ok {
		ts.Fatalf("no program %q was spawned", name)
	}
	return j
}

// spawn NAME PROGRAM [ARG…]: starts a program that goes on while the script does;
// what it writes lies in NAME.out and NAME.err.
func spawn(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: spawn NAME PROGRAM [ARG…]")
	}
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "LANG", "LC_ALL", "NO_COLOR", "TZ", "TMPDIR", "PATH", "SSL_CERT_FILE"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := os.Create(ts.MkAbs(args[0] + ".out"))
	ts.Check(err)
	errs, err := os.Create(ts.MkAbs(args[0] + ".err"))
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = out, errs
	ts.Check(cmd.Start())
	j := &spawned{cmd: cmd, done: make(chan struct{})}
	ts.Value(faultKey{}).(*faults).jobs[args[0]] = j
	go func() {
		j.err = errors.Join(cmd.Wait(), out.Close(), errs.Close())
		close(j.done)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-j.done
	})
}

// signal KILL|INT|TERM|STOP|CONT NAME: sends a signal to a spawned program alone.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP,
		"STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	s, ok := signals[args[0]]
	if !ok {
		ts.Fatalf("there is no signal %q here", args[0])
	}
	j := job(ts, args[1])
	j.kin = family(processes(ts), strconv.Itoa(j.cmd.Process.Pid))
	ts.Check(j.cmd.Process.Signal(s))
}

// orphans NAME: waits until nothing is alive that a program had started when it got
// its last signal.
func orphans(ts *testscript.TestScript, _ bool, args []string) {
	j := job(ts, args[0])
	poll(ts, "all that "+args[0]+" had started has ended", nil, func() bool {
		alive := processes(ts)
		return !slices.ContainsFunc(j.kin, func(p process) bool {
			return slices.ContainsFunc(alive, func(q process) bool { return p.pid == q.pid && p.since == q.since })
		})
	})
}

// ended NAME CODE|killed: waits for a spawned program and wants this end of it.
// What it wrote becomes stdout and stderr of the script.
func ended(ts *testscript.TestScript, _ bool, args []string) {
	j := job(ts, args[0])
	select {
	case <-j.done:
	case <-time.After(patience):
		ts.Fatalf("%s has not ended after %s", args[0], patience)
	}
	fmt.Fprint(ts.Stdout(), ts.ReadFile(args[0]+".out"))
	fmt.Fprint(ts.Stderr(), ts.ReadFile(args[0]+".err"))
	state := j.cmd.ProcessState
	got := strconv.Itoa(state.ExitCode())
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		got = "killed"
	}
	if got != args[1] {
		ts.Fatalf("%s ended with %s, not %s:\n%s%s", args[0], got, args[1], ts.ReadFile(args[0]+".out"), ts.ReadFile(args[0]+".err"))
	}
}

// poll repeats a question until the answer is yes. It fails when the spawned
// program, if one is named, has ended before.
func poll(ts *testscript.TestScript, what string, j *spawned, holds func() bool) {
	for end := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("never happened: %s", what)
		}
		if j == nil {
			continue
		}
		select {
		case <-j.done:
			ts.Fatalf("the program ended before: %s", what)
		default:
		}
	}
}

// opens NAME TEXT: waits until a spawned program has a file open whose path holds
// TEXT.
func opens(ts *testscript.TestScript, _ bool, args []string) {
	j := job(ts, args[0])
	dir := fmt.Sprintf("/proc/%d/fd", j.cmd.Process.Pid)
	poll(ts, args[0]+" has "+args[1]+" open", j, func() bool {
		entries, err := os.ReadDir(dir)
		return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
			link, err := os.Readlink(filepath.Join(dir, e.Name()))
			return err == nil && strings.Contains(link, args[1])
		})
	})
}

// reads NAME BYTES: waits until a spawned program has read so many bytes more.
func reads(ts *testscript.TestScript, _ bool, args []string) {
	j := job(ts, args[0])
	more, err := strconv.Atoi(args[1])
	ts.Check(err)
	read := func() (bytes int) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", j.cmd.Process.Pid))
		if err == nil {
			_, err = fmt.Sscanf(string(text), "rchar: %d", &bytes)
		}
		if err != nil {
			return 0 // it has ended, which poll notices
		}
		return bytes
	}
	before := read()
	poll(ts, args[0]+" reads on", j, func() bool { return read() >= before+more })
}

// runs NAME TEXT: waits until a spawned program has a child whose arguments hold
// TEXT.
func runsChild(ts *testscript.TestScript, _ bool, args []string) {
	j := job(ts, args[0])
	parent := strconv.Itoa(j.cmd.Process.Pid)
	poll(ts, args[0]+" runs "+args[1], j, func() bool {
		return slices.ContainsFunc(processes(ts), func(p process) bool {
			return p.parent == parent && strings.Contains(p.argv, args[1])
		})
	})
}

// process is one line of what ps would show; since tells it from a later one of the
// same number.
type process struct{ pid, parent, since, argv string }

// family are all that a process started, and all that those did.
func family(all []process, parent string) (kin []process) {
	for _, p := range all {
		if p.parent == parent {
			kin = append(append(kin, p), family(all, p.pid)...)
		}
	}
	return kin
}

func processes(ts *testscript.TestScript) []process {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	ts.Check(err)
	var found []process
	for _, dir := range dirs {
		argv, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		stat, statErr := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || statErr != nil || len(argv) == 0 {
			continue // it ended while we looked
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] != "Z" {
			found = append(found, process{filepath.Base(dir), fields[1], fields[19], string(argv)})
		}
	}
	return found
}

// begun VERB: waits until the journal in state says that a run of this verb goes on.
func begun(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	poll(ts, "a run of "+args[0]+" goes on", nil, func() bool {
		db, err := database.Open(ctx, ts.MkAbs("state/journal.db"), nil)
		if err != nil {
			return false // it is being made
		}
		defer db.Close()
		var n int
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM runs WHERE verb = ? AND json_extract(body, '$.finished') IS NULL", args[0]).Scan(&n)
		return err == nil && n > 0
	})
}

// sees SERVER DATABASE STATEMENT TEXT: waits until the first value that a statement
// gives is TEXT.
func sees(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, lookup(ts, args[0]).DSN(args[1]))
	ts.Check(err)
	defer conn.Close(ctx)
	poll(ts, args[2]+" is "+args[3], nil, func() bool {
		var got string
		ts.Check(conn.QueryRow(ctx, "SELECT ("+args[2]+")::text").Scan(&got))
		return got == args[3]
	})
}

// nowhere TEXT [PATH…]: TEXT is in no argument of any process, and in no file below
// the paths.
func nowhere(ts *testscript.TestScript, _ bool, args []string) {
	for _, p := range processes(ts) {
		if strings.Contains(p.argv, args[0]) {
			ts.Fatalf("it is in the arguments of a process: %q", p.argv)
		}
	}
	for _, path := range args[1:] {
		ts.Check(filepath.WalkDir(ts.MkAbs(path), func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(file)
			if bytes.Contains(content, []byte(args[0])) {
				ts.Fatalf("it is in %s", file)
			}
			return err
		}))
	}
}

// nofiles DIR TEXT: no file below DIR, which need not exist, has TEXT in its name.
func noFiles(ts *testscript.TestScript, _ bool, args []string) {
	err := filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != ts.MkAbs(args[0]) && strings.Contains(d.Name(), args[1]) {
			ts.Fatalf("%s is left", path)
		}
		return err
	})
	if !errors.Is(err, fs.ErrNotExist) {
		ts.Check(err)
	}
}

// smalldisk NAME BYTES: mounts a disk of this size and sets NAME to its directory.
// It needs root.
func smallDisk(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Setenv(args[0], lab.SmallDisk(scriptTB{ts}, size))
}

// filldisk DIR: leaves no room on the small disk. freedisk DIR: takes that back.
func fillDisk(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(faultKey{}).(*faults).disks[args[0]] = lab.FillDisk(scriptTB{ts}, args[0])
}

func freeDisk(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(faultKey{}).(*faults).disks[args[0]]()
}

// grow FILE: appends to a file every millisecond. rest FILE: ends that.
func grow(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_WRONLY, 0)
	ts.Check(err)
	stop, stopped := make(chan bool), make(chan bool)
	end := sync.OnceFunc(func() { close(stop); <-stopped })
	ts.Value(faultKey{}).(*faults).grows[args[0]] = end
	ts.Defer(end)
	go func() {
		defer close(stopped)
		defer f.Close()
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_, _ = f.WriteString("and more\n") // where the disk is full, it rests
			}
		}
	}()
}

func rest(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value(faultKey{}).(*faults).grows[args[0]]()
}
