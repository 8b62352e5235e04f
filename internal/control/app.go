// Package control holds the use cases that all surfaces share: it is the only
// place where verbs meet the engine and each other. Surfaces ask here and show
// what comes back; they decide nothing.
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"upkeep/internal/capability/collect"
	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/database"
	"upkeep/internal/engine"
	"upkeep/internal/inventory"
	"upkeep/internal/journal"
	"upkeep/internal/repository"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/workflow"
)

// Options are the world and the wishes of one process.
type Options struct {
	Kinds   *service.Registry
	Getenv  func(string) string
	Now     func() time.Time
	Log     *slog.Logger
	Watch   func(engine.Event) // nil when nobody looks
	FailOn  service.Severity   // lowest severity that gives exit code 1
	Timeout time.Duration      // of one step; 0 = the verb's own
	User    string             // who asks, for plans and the audit log
	Patient bool               // a job waits for the window of what it does; else it is refused
	// NewPassword shows the password of a repository that was just made, once.
	NewPassword func(path, password string)
	Words       catalogue.Words // of the reader, for pages that are written to files
	Version     string          // of the program
}

// App is one declared system, opened. What lies on disk is opened when first
// needed: a dry run leaves no trace.
type App struct {
	opt       Options
	Config    *config.Config
	Inventory *inventory.Inventory
	stateDir  string
	scratch   inventory.Scratch
	redactor  secret.Redactor // knows every secret that was read

	opening    sync.Mutex // of journal and workflows: they are asked for side by side
	journal    *journal.Journal
	workflow   *workflow.Store
	repository *repository.Repository
	lent       bool // journal and workflows are another's to close

	sampling sync.Mutex     // of what follows
	round    *collect.Round // over all targets, with their connections
	own      own
}

// Open resolves a declaration. It touches nothing.
func Open(cfg *config.Config, opt Options) *App {
	a := &App{opt: opt, Config: cfg, stateDir: stateDir(cfg, opt.Getenv)}
	a.scratch = inventory.NewScratch(cfg.Scratch.Dir, a.stateDir)
	world := inventory.World{Log: opt.Log, Now: opt.Now, Getenv: opt.Getenv, Scratch: a.scratch, State: a.state, Guard: a.guard,
		Seen: a.redactor.Add}
	a.Inventory = world.Open(cfg)
	return a
}

// machineState is where root's state lies, and that of the user whom the package makes.
const machineState = "/var/lib/upkeep"

// stateDir is where journal, plans, workflows and locks lie.
func stateDir(cfg *config.Config, getenv func(string) string) string {
	switch {
	case cfg.State != "":
		return cfg.Resolve(cfg.State)
	case os.Getuid() == 0, owner(machineState) == os.Getuid():
		return machineState
	case getenv("XDG_STATE_HOME") != "":
		return filepath.Join(getenv("XDG_STATE_HOME"), "upkeep")
	}
	return filepath.Join(getenv("HOME"), ".local", "state", "upkeep")
}

// Version is that of upkeep.
func (a *App) Version() string { return a.opt.Version }

// StateDir is where this machine's state lies.
func (a *App) StateDir() string { return a.stateDir }

// Journal opens the journal, making the state directory when it is not there.
func (a *App) Journal(ctx context.Context) (*journal.Journal, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	if a.journal != nil {
		return a.journal, nil
	}
	if err := a.ownState(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(a.stateDir, "locks"), 0o700); err != nil {
		return nil, a.notOpened(err)
	}
	j, err := journal.Open(ctx, filepath.Join(a.stateDir, "journal.db"), a.opt.Now)
	if err != nil {
		return nil, a.notOpened(err)
	}
	a.journal = j
	return j, nil
}

// ownState refuses to work as root on the state of somebody else: what root makes there its
// owner could not read.
func (a *App) ownState() error {
	uid := owner(a.stateDir)
	if os.Geteuid() != 0 || uid <= 0 {
		return nil
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return &service.Fault{ID: "error.state-of-another", Args: service.Args{"path": a.stateDir, "user": name},
		Err: fmt.Errorf("%s belongs to %s: %w", a.stateDir, name, service.ErrRefused)}
}

// owner is whom a file belongs to; -1 where that cannot be told.
func owner(path string) int {
	info, err := os.Stat(path)
	if err != nil {
		return -1
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

// notOpened gives the reasons why a journal is not opened words of their own.
func (a *App) notOpened(err error) error {
	fault := &service.Fault{Args: service.Args{"path": a.stateDir}, Err: fmt.Errorf("%w: %w", err, service.ErrRefused)}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		fault.ID = "error.state-not-writable"
	case errors.Is(err, database.ErrNewer):
		fault.ID = "error.journal-newer"
	default:
		return err
	}
	return fault
}

// state is a target's small values. They live in the journal's file; a process
// that has not opened it yet opens it now.
func (a *App) state(system, target string) service.State {
	return lazyState{app: a, system: system, target: target}
}

type lazyState struct {
	app            *App
	system, target string
}

func (s lazyState) Get(ctx context.Context, key string) (string, error) {
	j, err := s.app.Journal(ctx)
	if err != nil {
		return "", err
	}
	return j.State(s.system, s.target).Get(ctx, key)
}

func (s lazyState) Set(ctx context.Context, key, value string) error {
	j, err := s.app.Journal(ctx)
	if err != nil {
		return err
	}
	return j.State(s.system, s.target).Set(ctx, key, value)
}

func (a *App) openWorkflow(ctx context.Context) (*workflow.Store, error) {
	a.opening.Lock()
	defer a.opening.Unlock()
	if a.workflow != nil {
		return a.workflow, nil
	}
	w, err := workflow.Open(ctx, filepath.Join(a.stateDir, "workflow.db"), a.opt.Log)
	if err != nil {
		return nil, err
	}
	a.workflow = w
	return w, nil
}

// RepositoryPath is where copies lie.
func (a *App) RepositoryPath() string {
	if a.Config.Repository.Path != "" {
		return a.Config.Resolve(a.Config.Repository.Path)
	}
	return filepath.Join(a.stateDir, "copies")
}

// Engine returns the runner of this process.
func (a *App) engine(ctx context.Context) (*engine.Engine, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	return &engine.Engine{Journal: j, Workflow: a.openWorkflow, Locks: filepath.Join(a.stateDir, "locks"),
		Log: a.opt.Log, Now: a.opt.Now, Watch: a.opt.Watch}, nil
}

// Close gives back what was opened.
func (a *App) Close(ctx context.Context) error {
	var errs []error
	a.sampling.Lock()
	defer a.sampling.Unlock()
	if a.round != nil {
		errs = append(errs, a.round.Close())
	}
	if a.workflow != nil && !a.lent {
		errs = append(errs, a.workflow.Close(ctx))
	}
	if a.repository != nil {
		errs = append(errs, a.repository.Close(ctx))
	}
	if a.journal != nil && !a.lent {
		errs = append(errs, a.journal.Close())
	}
	return errors.Join(errs...)
}
