package servicetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/service"
)

// run starts a program of this machine. An error ends with what the program
// wrote to its standard error.
func run(ctx context.Context, c service.Cmd) error {
	path, _, err := find(ctx, c.Program, c.Major)
	if err != nil {
		return err
	}
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}, c.Env...)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.Stdin, c.Stdout, &complaint
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	if cmd.SysProcAttr, err = runAs(c.User); err != nil {
		return err
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.Program, err, bytes.TrimSpace(complaint.Bytes()))
	}
	return nil
}

func runAs(name string) (*syscall.SysProcAttr, error) {
	if name == "" || os.Geteuid() != 0 {
		return nil, nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// find looks in PATH and where Debian keeps PostgreSQL's programs, and takes the
// lowest major version that will do.
func find(ctx context.Context, program string, major int) (path, version string, err error) {
	best := 0
	for _, candidate := range candidates(program) {
		found := versionOf(ctx, candidate)
		number, _ := strconv.Atoi(strings.SplitN(found, ".", 2)[0])
		if number >= major && (path == "" || number < best) {
			path, version, best = candidate, found, number
		}
	}
	if path == "" {
		return "", "", fmt.Errorf("%s %d: %w", program, major, service.ErrNoTool)
	}
	return path, version, nil
}

func candidates(program string) []string {
	var found []string
	if filepath.IsAbs(program) {
		return []string{program}
	}
	if path, err := exec.LookPath(program); err == nil {
		found = append(found, path)
	}
	packaged, err := filepath.Glob(filepath.Join("/usr/lib/postgresql/*/bin", program))
	if err != nil {
		return found
	}
	return append(found, packaged...)
}

var number = regexp.MustCompile(`[0-9]+(\.[0-9]+)*`)

// versionOf is empty for a program that does not say.
func versionOf(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return number.FindString(string(out))
}
