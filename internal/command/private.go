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

// KillIn kills every process whose working directory is dir: what a killed run left
// behind in a directory that nobody else uses.
func KillIn(dir string) error {
	found, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		return err
	}
	for _, link := range found {
		if cwd, err := os.Readlink(link); err != nil || cwd != dir {
			continue // ended meanwhile, or somebody else's
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link)))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end process %d: %w", pid, err)
		}
	}
	return nil
}
