package command

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Unprivileged returns the first of these users that exists, as whom a private
// server runs when upkeep is root; nil when upkeep is not root and the server runs
// as upkeep itself.
func Unprivileged(names ...string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range names {
		if account, err := user.Lookup(name); err == nil {
			return credential(account)
		}
	}
	return nil, fmt.Errorf("no user %s to run it as", strings.Join(names, " or "))
}

// credential has no groups: it needs nothing that is shared.
func credential(who *user.User) (*syscall.Credential, error) {
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", who.Username, err)
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", who.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// endsWithin is how long a killed process may take to be gone: one that waits for a disk
// ends only when the disk has answered.
const endsWithin = 10 * time.Second

// KillIn kills every process whose working directory is dir or lies below it, and waits
// until they are gone, with those that they start meanwhile: what a killed run left
// behind in a directory that nobody else uses.
func KillIn(dir string) error {
	for deadline := time.Now().Add(endsWithin); ; time.Sleep(5 * time.Millisecond) {
		standing, err := standingIn(dir)
		if err != nil || len(standing) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in %s do not end", standing, dir)
		}
		for _, pid := range standing {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d: %w", pid, err)
			}
		}
	}
}

// standingIn lists the processes that work in a directory or below it. Those that ended
// and only wait to be noticed stand nowhere.
func standingIn(dir string) (pids []int, err error) {
	found, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return nil, err
	}
	for _, link := range found {
		cwd, err := os.Readlink(link)
		if err != nil || cwd != dir && !strings.HasPrefix(cwd, dir+"/") {
			continue // ended meanwhile, or somebody else's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
