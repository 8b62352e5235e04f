package series

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// What a Loss is about.
const (
	BlockDamaged = "block-damaged" // a span of older samples
	LogDamaged   = "log-damaged"   // the newest samples, before they became a block
	HeadDamaged  = "head-damaged"  // the same, of which the log has mostly a second copy
	DiskRefuses  = "disk-refuses"  // samples are held in memory alone
)

// Loss is samples that are gone, or will be if the process ends now.
type Loss struct {
	What  string    `json:"what"`
	Since time.Time `json:"since"`          // when it was noticed
	Until time.Time `json:"until,omitzero"` // of DiskRefuses: when the disk took samples again; zero while it does not
	From  time.Time `json:"from,omitzero"`  // the samples' own time, as far as it is known
	To    time.Time `json:"to,omitzero"`    //
	Path  string    `json:"path,omitempty"` // where the damaged files lie now
	Why   string    `json:"why,omitempty"`  // in English, as the storage says it
}

// Places below the directory of samples.
const (
	damagedDir = "damaged" // what was set aside, one directory each time, with lossFile
	memoryDir  = "memory"  // stays empty
	lossFile   = "loss.json"
)

// losses are known as long as what was set aside lies there. They are in memory as well: a
// disk that is full may not take the note.
type losses struct {
	dir string
	log *slog.Logger

	mu    sync.Mutex
	known []Loss
}

// newLosses reads what earlier processes have set aside, and drops what is older than any
// sample that is kept.
func newLosses(dir string, keep time.Duration, log *slog.Logger) *losses {
	l := &losses{dir: filepath.Join(dir, damagedDir), log: log}
	notes, _ := filepath.Glob(filepath.Join(l.dir, "*", lossFile)) // the pattern is well-formed
	for _, note := range notes {
		var one Loss
		text, err := os.ReadFile(note)
		if err == nil {
			err = json.Unmarshal(text, &one)
		}
		if err != nil {
			log.Warn("note of a loss not read", "path", note, "error", err)
			continue
		}
		if keep > 0 && time.Since(one.Since) > keep {
			_ = os.RemoveAll(filepath.Dir(note)) // is tried again at the next start
			continue
		}
		l.known = append(l.known, one)
	}
	return l
}

// aside makes a place for what is damaged.
func (l *losses) aside(name string) (string, error) {
	dir := filepath.Join(l.dir, time.Now().UTC().Format("20060102T150405.000Z")+"-"+name)
	return dir, os.MkdirAll(dir, 0o700)
}

// keep notes a loss beside what was set aside.
func (l *losses) keep(one Loss) {
	one.Since = time.Now()
	l.mu.Lock()
	l.known = append(l.known, one)
	l.mu.Unlock()
	l.log.Error("samples lost", "what", one.What, "from", one.From, "to", one.To, "set aside", one.Path, "error", one.Why)
	if text, err := json.Marshal(one); err != nil || os.WriteFile(filepath.Join(one.Path, lossFile), text, 0o600) != nil {
		l.log.Warn("note of a loss not written: it is forgotten at the next start", "path", one.Path)
	}
}

// begin notes that the disk takes nothing; end, that it does again.
func (l *losses) begin(one Loss) {
	one.Since = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = append(l.known, one)
	l.log.Error("samples are held in memory alone", "error", one.Why)
}

func (l *losses) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.known {
		if l.known[i].What == DiskRefuses && l.known[i].Until.IsZero() {
			l.known[i].Until = time.Now()
		}
	}
	l.log.Info("samples are on disk again")
}

// list is what a person should know: what lies set aside, and the last time that the disk took
// nothing, for as long as a day after it.
func (l *losses) list() []Loss {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = slices.DeleteFunc(l.known, func(one Loss) bool {
		if one.What == DiskRefuses {
			return !one.Until.IsZero() && time.Since(one.Until) > 24*time.Hour
		}
		_, err := os.Stat(one.Path)
		return errors.Is(err, fs.ErrNotExist)
	})
	return slices.Clone(l.known)
}

// Loss is what is missing among the samples, or held in memory alone.
func (s *Store) Loss() []Loss { return s.samples.losses.list() }
