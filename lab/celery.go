package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed celery/app.py
var celeryApp []byte

// Worker says which Celery worker to start. Settings are over those of
// celery/app.py; Pool is prefork unless it is given.
type Worker struct {
	Broker   *Server
	Name     string   // worker name before the @
	Queues   []string // of -Q
	Pool     string   // "solo" works in the process that also answers: it is silent meanwhile
	Settings map[string]any
}

// Celery starts a worker for the length of one test.
func Celery(t TB, w Worker) *Server {
	t.Helper()
	Need(t, "celery")
	return start(t, Options{}, func(ctx context.Context, dir string, _ Options) (*Server, error) {
		return StartCelery(ctx, dir, w)
	})
}

// celeryProgram is what lab/install puts into a virtual environment: for root where
// other users can enter, else in the user's cache.
func celeryProgram() (string, error) {
	places := []string{"/var/cache/upkeep-lab"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab"))
	}
	for _, place := range places {
		program := filepath.Join(place, "celery", "bin", "celery")
		if _, err := os.Stat(program); err == nil {
			return program, nil
		}
	}
	return "", errors.New("celery is not installed; lab/install installs it")
}

// StartCelery starts a worker under dir. It listens on no port: its Port is 0.
func StartCelery(ctx context.Context, dir string, w Worker) (*Server, error) {
	program, err := celeryProgram()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{Component: "celery", Dir: filepath.Join(dir, "celery"), Data: filepath.Join(dir, "celery"),
		ready: workerIsReady, stop: syscall.SIGTERM, account: as, killed: true}
	if err := s.initCelery(w); err != nil {
		return nil, err
	}
	s.argv = func(int) []string {
		argv := []string{"/usr/bin/env", "LAB_CELERY=" + s.Dir, "PYTHONPATH=" + s.Dir, "PYTHONDONTWRITEBYTECODE=1",
			program, "-A", "app", "worker", "-n", w.Name + "@lab", "-c", "1", "-l", "INFO", "-P", "prefork"}
		if w.Pool != "" {
			argv[len(argv)-1] = w.Pool
		}
		if len(w.Queues) > 0 {
			argv = append(argv, "-Q", strings.Join(w.Queues, ","))
		}
		return argv
	}
	return s, s.Start(ctx)
}

// initCelery writes the broker's address, which holds a password, into a file.
func (s *Server) initCelery(w Worker) error {
	// Python lists the directory that it imports from.
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("make the directory of the worker: %w", err)
	}
	settings, err := json.Marshal(w.Settings)
	if err != nil {
		return fmt.Errorf("write the worker's settings: %w", err)
	}
	if w.Settings == nil {
		settings = []byte("{}")
	}
	for name, text := range map[string][]byte{"app.py": celeryApp, "settings.json": settings, "broker": []byte(w.Broker.DSN("/"))} {
		path := filepath.Join(s.Dir, name)
		if err := errors.Join(os.WriteFile(path, text, 0o600), s.account.own(path)); err != nil {
			return fmt.Errorf("configure the worker: %w", err)
		}
	}
	return nil
}

// workerIsReady reads the log of the last start: a worker answers nothing else
// without the broker.
func workerIsReady(_ context.Context, s *Server) error {
	log := s.Log()
	started := max(strings.LastIndex(log, "-------------- "), 0)
	if !strings.Contains(log[started:], " ready.") {
		return errors.New("the worker does not say that it is ready")
	}
	return nil
}
