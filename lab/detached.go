package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// saved is what lab.json keeps of one detached server. It holds no secret.
type saved struct {
	Component    string `json:"component"`
	PID          int    `json:"pid"`
	Port         int    `json:"port"`
	User         string `json:"user,omitempty"`
	PasswordFile string `json:"password_file"`
	Dir          string `json:"dir"`
}

// Up starts one PostgreSQL and one Redis server under dir that outlive this
// program, and keeps their addresses in dir/lab.json. Down ends them.
func Up(ctx context.Context, dir string, o Options) ([]*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(stateFile(dir)); err == nil {
		return nil, fmt.Errorf("there is a lab in %s already; end it with: lab down %s", dir, dir)
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make the directory of the lab: %w", err)
	}
	o.Detached = true
	pg, err := StartPostgres(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	rd, err := StartRedis(ctx, dir, Options{Password: pg.Password, Detached: true})
	if err != nil {
		return nil, errors.Join(err, pg.Kill())
	}
	servers := []*Server{pg, rd}
	if err := save(dir, servers); err != nil {
		return nil, errors.Join(err, pg.Kill(), rd.Kill())
	}
	return servers, nil
}

func stateFile(dir string) string { return filepath.Join(dir, "lab.json") }

func save(dir string, servers []*Server) error {
	all := make([]saved, 0, len(servers))
	for _, s := range servers {
		all = append(all, saved{s.Component, s.PID(), s.Port, s.User, s.PasswordFile, s.Dir})
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the addresses of the lab: %w", err)
	}
	return os.WriteFile(stateFile(dir), append(text, '\n'), 0o600)
}

// Open returns the servers of a lab that Up started, running or not. They can be
// stopped, killed, paused and resumed, not started again.
func Open(dir string) ([]*Server, error) {
	text, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return nil, fmt.Errorf("find the lab: %w", err)
	}
	var all []saved
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", stateFile(dir), err)
	}
	servers := make([]*Server, 0, len(all))
	for _, one := range all {
		s, err := one.open()
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// open takes a process for the server only if its arguments name the directory of
// the server: the number may have gone to another program since.
func (one saved) open() (*Server, error) {
	password, err := os.ReadFile(one.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("read a password of the lab: %w", err)
	}
	s := &Server{Component: one.Component, Host: "127.0.0.1", Port: one.Port, User: one.User,
		Password: string(bytes.TrimSpace(password)), PasswordFile: one.PasswordFile,
		Dir: one.Dir, Data: filepath.Join(one.Dir, "data"), stop: syscall.SIGINT, detached: true}
	if one.Component == "redis" {
		s.stop = syscall.SIGTERM
	}
	argv, err := os.ReadFile("/proc/" + strconv.Itoa(one.PID) + "/cmdline")
	if err == nil && (bytes.Contains(argv, []byte(one.Dir)) || isRedis(argv, one.Port)) {
		s.proc = attach(one.PID)
	}
	return s, nil
}

// isRedis recognizes a server of Redis, which puts its address in place of its
// arguments.
func isRedis(argv []byte, port int) bool {
	return bytes.Contains(argv, []byte("redis-server")) && bytes.Contains(argv, []byte(":"+strconv.Itoa(port)))
}

// Down ends the servers of a lab and forgets them; their data stays in dir.
func Down(dir string) error {
	servers, err := Open(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range servers {
		errs = append(errs, s.Stop())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("end the lab: %w", err)
	}
	return os.Remove(stateFile(dir))
}
