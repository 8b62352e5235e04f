package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"upkeep/internal/service"
)

// holder is what the lock file says of the process that serves.
type holder struct {
	PID    int       `json:"pid"`
	System string    `json:"system"`
	Listen string    `json:"listen"`
	Since  time.Time `json:"since"`
}

func lockPath(state string) string { return filepath.Join(state, "serve.lock") }

// claim makes this the one process that serves from a state directory. The kernel gives
// the lock up when the process dies.
func claim(state, system, listen string, now time.Time) (*flock.Flock, error) {
	path := lockPath(state)
	l := flock.New(path, flock.SetPermissions(0o600))
	taken, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("take %s: %w", path, errors.Join(service.ErrRefused, err))
	}
	if !taken {
		return nil, served(path)
	}
	text, err := json.Marshal(holder{PID: os.Getpid(), System: system, Listen: listen, Since: now})
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", path, errors.Join(err, l.Close()))
	}
	return l, nil
}

// served names the process that holds the lock.
func served(path string) error {
	var h holder
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &h)
	}
	if err != nil { // it is just being signed
		return fmt.Errorf("%s is held by another process: %w", path, service.ErrBusy)
	}
	return &service.Fault{ID: "error.served", Args: service.Args{"pid": h.PID, "system": h.System, "listen": h.Listen, "since": h.Since.Format(time.RFC3339)},
		Err: fmt.Errorf("process %d serves %s at %s since %s: %w", h.PID, h.System, h.Listen, h.Since.Format(time.RFC3339), service.ErrBusy)}
}

// release empties the file before the lock goes: nobody serves any more.
func release(l *flock.Flock) error {
	return errors.Join(os.Truncate(l.Path(), 0), l.Close())
}
