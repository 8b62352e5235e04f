package control

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"upkeep/internal/capability/crontab"
	"upkeep/internal/capability/hostfiles"
)

// File is something to put in a place of another tool's.
type File = hostfiles.File

// SystemdFiles are the unit of upkeep serve, and the jobs as timers for where it does not run.
func (a *App) SystemdFiles() ([]File, error) {
	s, err := a.host()
	return slices.Concat(s.Unit(), s.Timers()), err
}

// CrontabFiles are the jobs as lines for cron.
func (a *App) CrontabFiles() ([]File, error) {
	s, err := a.host()
	return s.Crontab(), err
}

// LogrotateFiles are how log files are rotated.
func (a *App) LogrotateFiles() ([]File, error) {
	s, err := a.host()
	return s.Logrotate(), err
}

// host is what files for the machine's own tools are made of, for this very program.
func (a *App) host() (s hostfiles.System, err error) {
	s = hostfiles.System{Config: a.Config, Words: a.opt.Words, Home: machineState, State: machineState}
	if s.Program, err = os.Executable(); err != nil {
		return s, fmt.Errorf("find the program itself: %w", err)
	}
	if s.Declaration, err = filepath.Abs(a.Config.File); err != nil {
		return s, fmt.Errorf("find the declaration: %w", err)
	}
	if a.Config.State != "" {
		s.State = a.stateDir
	}
	if a.Config.Repository.Path != "" {
		s.Repository = a.RepositoryPath()
	}
	return s, nil
}

// ReadCrontab says which jobs do the same as the lines of a crontab.
func ReadCrontab(text string, now time.Time, system bool) crontab.Crontab {
	return crontab.Read(text, crontab.World{Exists: crontab.Exists, Now: now, System: system})
}
