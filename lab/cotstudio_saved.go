package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// savedPart is what cotstudio.json keeps of one detached process. It holds no secret.
type savedPart struct {
	Component    string      `json:"component"`
	Process      savedNumber `json:"process"`
	Beside       savedNumber `json:"beside"` // RabbitMQ's port mapper
	Port         int         `json:"port"`
	User         string      `json:"user,omitempty"`
	PasswordFile string      `json:"password_file,omitempty"`
	Dir          string      `json:"dir"`
	Management   string      `json:"management,omitempty"`
}

// savedNumber is a process with the time of its start in ticks since boot: the number
// alone may have gone to another program since.
type savedNumber struct {
	PID     int    `json:"pid"`
	Started string `json:"started"`
}

// CotStudioUp starts the example system so that it outlives this program, and keeps in
// dir/cotstudio.json what runs. CotStudio.Down ends it.
func CotStudioUp(ctx context.Context, dir string) (*CotStudio, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("make the directory of the example system: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cotStart)
	defer cancel()
	c, err := StartCotStudio(ctx, dir, true)
	if err != nil {
		return nil, err
	}
	if err := c.save(); err != nil {
		return nil, errors.Join(err, c.kill())
	}
	return c, nil
}

func (c *CotStudio) save() error {
	all := map[string]savedPart{}
	for name, s := range c.parts {
		process, err := numberOf(s.proc)
		if err != nil {
			return err
		}
		beside, err := numberOf(s.beside)
		if err != nil {
			return err
		}
		all[name] = savedPart{s.Component, process, beside, s.Port, s.User, s.PasswordFile, s.Dir, s.Management}
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("keep what runs of the example system: %w", err)
	}
	return os.WriteFile(c.path("cotstudio.json"), append(text, '\n'), 0o600)
}

// numberOf is zero for a process that does not run.
func numberOf(p *process) (savedNumber, error) {
	if p == nil || p.ended() {
		return savedNumber{}, nil
	}
	started, err := startOf(p.pid)
	return savedNumber{p.pid, started}, err
}

// startOf returns when a process began, in ticks since boot.
func startOf(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name in brackets may hold blanks; the start is the 20th field after it.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("look at process %d: its line is %q", pid, text)
	}
	return fields[19], nil
}

// OpenCotStudio returns the system that CotStudioUp started, running or not. Its parts
// can be stopped and paused, not started again.
func OpenCotStudio(dir string) (*CotStudio, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &CotStudio{Dir: dir, parts: map[string]*Server{}}
	text, err := os.ReadFile(c.path("cotstudio.json"))
	if err != nil {
		return nil, fmt.Errorf("find the example system: %w", err)
	}
	var all map[string]savedPart
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("read %s: %w", c.path("cotstudio.json"), err)
	}
	for name, one := range all {
		if c.parts[name], err = one.open(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (one savedPart) open() (*Server, error) {
	s := &Server{Component: one.Component, Host: "127.0.0.1", Port: one.Port, User: one.User, PasswordFile: one.PasswordFile,
		Dir: one.Dir, Management: one.Management, stop: syscall.SIGTERM, detached: true,
		proc: one.Process.find(), beside: one.Beside.find()}
	if one.Component == "postgres" {
		s.stop = syscall.SIGINT // SIGTERM waits until every session has ended
	}
	if one.PasswordFile == "" {
		return s, nil
	}
	password, err := os.ReadFile(one.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("read a password of the example system: %w", err)
	}
	s.Password = string(bytes.TrimSpace(password))
	return s, nil
}

// find returns nil when the process is gone.
func (n savedNumber) find() *process {
	if n.PID == 0 {
		return nil
	}
	if started, err := startOf(n.PID); err != nil || started != n.Started {
		return nil
	}
	return attach(n.PID)
}

// Down ends the system and forgets it; its data stays in Dir.
func (c *CotStudio) Down() error {
	if err := c.Stop(); err != nil {
		return fmt.Errorf("end the example system: %w", err)
	}
	return os.Remove(c.path("cotstudio.json"))
}
