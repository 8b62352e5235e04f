package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

const (
	// usualLock is how long a writer may hold a lock when nothing is declared: it saves in
	// seconds.
	usualLock = quantity.Duration(10 * time.Minute)
	// stateOfLocks is the key of what a check remembers of holders.
	stateOfLocks = "locks"
)

// lockMemory is since when locks were seen held, by lock, process number and start.
type lockMemory struct {
	Boot string               `json:"boot"` // process numbers and starts are of this one
	Held map[string]heldSince `json:"held"`
}

type heldSince struct {
	Since time.Time `json:"since"`
	Ticks uint64    `json:"ticks"` // processor time, as the kernel counts it
	Idle  time.Time `json:"idle"`  // since when it used none
}

// lockLook is one look at who holds the declared locks.
type lockLook struct {
	in        *Instance
	cfg       Config
	all       openers
	last, now lockMemory
	held      int // locks that somebody holds
	v         *service.Verdict
}

// judgeLocks judges locks by who holds them. That a lock file is there says nothing, nor
// does its age, nor a number that stands in it: a lock ends with who took it.
func (in *Instance) judgeLocks(ctx context.Context, v *service.Verdict) error {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil || len(cfg.Locks) == 0 || in.env.State == nil {
		return err
	}
	l := &lockLook{in: in, cfg: cfg, v: v, now: lockMemory{Held: map[string]heldSince{}}}
	if l.all, err = whoOpens(ctx, baseNames(cfg.Locks)); err != nil {
		return err
	}
	if err := l.recall(ctx); err != nil {
		return err
	}
	var failed []error
	for _, name := range cfg.Locks {
		failed = append(failed, l.judge(ctx, name))
	}
	v.Set("locks_held", l.held)
	return errors.Join(append(failed, l.remember(ctx))...)
}

func baseNames(paths []string) map[string]bool {
	names := map[string]bool{}
	for _, path := range paths {
		names[filepath.Base(path)] = true
	}
	return names
}

// judge looks at one lock. A file that somebody holds after it lost its name keeps nobody
// out: who opens the next one of that name holds that one.
func (l *lockLook) judge(ctx context.Context, name string) error {
	path, file := l.in.path(name), node{}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path)) // as the kernel names it
	}
	is, missing := nodeOf(path)
	if missing == nil {
		file = is
	}
	var named, lost []int
	for _, o := range l.all.found {
		switch {
		case !o.locks:
		case o.node == file:
			named = append(named, o.pid)
		case o.gone && o.path == path:
			lost = append(lost, o.pid)
		}
	}
	if missing == nil && l.all.blind {
		more, err := lockers(file)
		if err != nil {
			return err
		}
		named = append(named, more...)
	}
	l.unlinked(name, sorted(lost), sorted(named))
	if missing != nil {
		return nil
	}
	if len(named) > 0 {
		if seen, err := l.judgeHolders(ctx, name, sorted(named)); seen || err != nil {
			return err
		}
	}
	return l.unseen(name, path)
}

func sorted(pids []int) []int {
	slices.Sort(pids)
	return slices.Compact(pids)
}

func (l *lockLook) unlinked(name string, lost, named []int) {
	if len(lost) == 0 {
		return
	}
	args := service.Args{"lock": name, "dir": l.in.dir, "pid": lost[0], "pids": texts(lost), "command": commandOf(lost[0]), "other": 0, "other_command": ""}
	if others := slices.Concat(named, lost[1:]); len(others) > 0 {
		args["other"], args["other_command"] = others[0], commandOf(others[0])
	}
	l.v.Crit("dataset.lock-unlinked", name, args)
}

// texts are process numbers for people and scripts, at most twenty.
func texts(pids []int) []string {
	const most = 20
	var all []string
	for _, pid := range pids[:min(most, len(pids))] {
		all = append(all, strconv.Itoa(pid))
	}
	if len(pids) > most {
		all = append(all, "…")
	}
	return all
}

func commandOf(pid int) string {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return ""
	}
	argv, err := p.CmdLine()
	if err != nil {
		return ""
	}
	return shownCommand(argv)
}

// judgeHolders judges processes that share one lock: the first that took it, and those that it
// started meanwhile. seen is false where none of them lives: somebody else may have it from them.
func (l *lockLook) judgeHolders(ctx context.Context, name string, pids []int) (seen bool, err error) {
	h := holding{lock: name, since: l.in.env.Now()}
	for _, pid := range pids {
		p, err := procfs.NewProc(pid)
		if err != nil {
			continue // it has ended
		}
		stat, err := p.Stat()
		if err != nil {
			continue
		}
		l.see(&h, stat)
	}
	if len(h.pids) == 0 {
		return false, nil
	}
	l.held++
	if h.state(l) != stopped && l.in.env.Now().Sub(h.since) >= l.cfg.LockAtMost.Std() && !l.keeps(ctx, h) {
		l.forget(h)
		return true, ctx.Err()
	}
	l.tell(h)
	return true, nil
}

// holding is one lock with those who have it.
type holding struct {
	lock        string
	pids        []int
	keys        []string
	since       time.Time
	idle        time.Time // the last moment at which one of them used its processor
	stops, sunk int       // of them, stopped; waiting for a disk
}

func (l *lockLook) see(h *holding, stat procfs.ProcStat) {
	key := fmt.Sprintf("%s %d:%d", h.lock, stat.PID, stat.Starttime)
	now, ticks := l.in.env.Now(), uint64(stat.UTime)+uint64(stat.STime)
	was, before := l.last.Held[key]
	if !before {
		was = heldSince{Since: now, Ticks: ticks, Idle: now}
	}
	if was.Ticks != ticks {
		was.Ticks, was.Idle = ticks, now
	}
	l.now.Held[key] = was
	h.pids, h.keys = append(h.pids, stat.PID), append(h.keys, key)
	if was.Since.Before(h.since) {
		h.since = was.Since
	}
	if was.Idle.After(h.idle) {
		h.idle = was.Idle
	}
	switch stat.State {
	case "T", "t":
		h.stops++
	case "D":
		h.sunk++
	}
}

// What a holder does instead of going on.
const (
	stopped = "stopped" // somebody stopped it by a signal
	blocked = "blocked" // it waits for a disk
	hung    = "hung"    // it uses no processor time
)

func (h holding) state(l *lockLook) string {
	idle := l.in.env.Now().Sub(h.idle) >= l.cfg.LockAtMost.Std()
	switch {
	case h.stops > 0:
		return stopped
	case idle && h.sunk > 0:
		return blocked
	case idle:
		return hung
	}
	return ""
}

// keeps looks again whether the same process holds the lock all the time: one of many that
// hand it on was met by chance.
func (l *lockLook) keeps(ctx context.Context, h holding) bool {
	file, err := nodeOf(l.in.path(h.lock))
	for range looks {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(lookAgain):
		}
		if err != nil || !holdsStill(h.pids, file, filepath.Base(h.lock)) {
			return false
		}
	}
	return true
}

func holdsStill(pids []int, file node, name string) bool {
	var again openers
	for _, pid := range pids {
		if again.look(pid, map[string]bool{name: true}) != nil {
			return false
		}
	}
	if again.blind {
		now, err := lockers(file)
		return err == nil && slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(pids, pid) })
	}
	return slices.ContainsFunc(again.found, func(o opener) bool { return o.locks && o.node == file })
}

// forget begins anew with a lock that is handed on.
func (l *lockLook) forget(h holding) {
	for _, key := range h.keys {
		was := l.now.Held[key]
		was.Since = l.in.env.Now()
		l.now.Held[key] = was
	}
}

func (l *lockLook) tell(h holding) {
	held, state := l.in.env.Now().Sub(h.since), h.state(l)
	if state != stopped && held < l.cfg.LockAtMost.Std() {
		return
	}
	l.v.Warn("dataset.lock-held", h.lock, service.Args{"lock": h.lock, "dir": l.in.dir, "pid": h.pids[0], "pids": texts(h.pids), "command": commandOf(h.pids[0]),
		"held": held.Seconds(), "limit": l.cfg.LockAtMost.Std().Seconds(), "state": state, "idle": l.in.env.Now().Sub(h.idle).Seconds(), "named": l.named(h)})
}

// named is another process number than those of the holders that stands in a lock file: it
// is evidence of who had it once, and no more. 0 is none.
func (l *lockLook) named(h holding) int {
	const longest = 16
	file, err := os.OpenFile(l.in.path(h.lock), os.O_RDONLY, 0)
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, longest))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 || slices.Contains(h.pids, pid) {
		return 0
	}
	return pid
}

// unseen asks for a lock whose holder may be a process that cannot be looked into: it is
// taken as a copy takes it, and given back at once. Where all processes can be seen, nobody
// holds it.
func (l *lockLook) unseen(name, path string) error {
	if !l.all.blind {
		return nil
	}
	file, err := try(path, true)
	if file != nil {
		return errors.Join(err, file.Close())
	}
	if err == nil {
		return nil
	}
	l.held++
	key, now := name+" ?", l.in.env.Now()
	was, before := l.last.Held[key]
	if !before {
		was.Since = now
	}
	l.now.Held[key] = was
	if denied := !errors.Is(err, service.ErrBusy); denied || now.Sub(was.Since) >= l.cfg.LockAtMost.Std() {
		l.v.Unsure("dataset.lock-unseen", name, service.Args{"lock": name, "dir": l.in.dir, "held": now.Sub(was.Since).Seconds(), "denied": denied})
	}
	return nil
}

// recall is what the last check saw, of this boot of the machine.
func (l *lockLook) recall(ctx context.Context) error {
	boot, err := os.ReadFile(filepath.Join(procDir, "sys/kernel/random/boot_id"))
	if err != nil {
		return fmt.Errorf("read the ID of this boot: %w", err)
	}
	l.now.Boot = strings.TrimSpace(string(boot))
	text, err := l.in.env.State.Get(ctx, stateOfLocks)
	if err != nil || text == "" {
		return err
	}
	if err := json.Unmarshal([]byte(text), &l.last); err != nil {
		return fmt.Errorf("read who held locks: %w", err)
	}
	if l.last.Boot != l.now.Boot {
		l.last = lockMemory{}
	}
	return nil
}

func (l *lockLook) remember(ctx context.Context) error {
	if len(l.now.Held) == 0 && len(l.last.Held) == 0 {
		return nil
	}
	text, err := json.Marshal(l.now)
	if err != nil {
		return err
	}
	return l.in.env.State.Set(ctx, stateOfLocks, string(text))
}
