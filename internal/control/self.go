package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// reserved is under which name upkeep keeps what it knows of itself.
const reserved = "upkeep"

// passwordKept is the note that somebody keeps the repository's password
// elsewhere.
const passwordKept = "password-kept"

// checkSelf judges the declaration and where copies lie.
func (a *App) checkSelf(ctx context.Context) (service.Verdict, error) {
	var v service.Verdict
	for _, literal := range config.Literals(a.Config) {
		v.Warn("upkeep.literal-secret", literal.Path, service.Args{"path": literal.Path, "line": literal.Line})
	}
	for _, w := range a.Config.Accept {
		if !a.opt.Now().Before(w.Until.Time) {
			v.Warn("upkeep.acceptance-expired", w.What(), service.Args{"finding": w.What(), "until": w.Until.String(), "why": w.Why})
		}
	}
	a.checkFiles(&v)
	err := a.checkAlerting(ctx, &v)
	return v, errors.Join(err, a.checkPassword(ctx, &v), a.checkDisk(&v), a.checkLists(ctx, &v), a.checkServed(ctx, &v), a.checkNews(ctx, &v))
}

func (a *App) checkPassword(ctx context.Context, v *service.Verdict) error {
	if _, err := os.Stat(a.RepositoryPath()); errors.Is(err, fs.ErrNotExist) {
		v.Warn("upkeep.no-copy", "", service.Args{"path": a.RepositoryPath()})
		return nil
	}
	j, err := a.Journal(ctx)
	if err != nil {
		return err
	}
	notes, err := j.Notes(ctx, a.Config.System, passwordKept)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(notes, a.confirms) {
		v.Warn("upkeep.password-not-kept", "", service.Args{"path": a.RepositoryPath()})
	}
	return nil
}

// confirmation is the body of a passwordKept note.
type confirmation struct {
	By   string `json:"by"`
	Path string `json:"path"`
}

// confirms reports whether a note speaks of the repository that is declared now.
func (a *App) confirms(note journal.Note) bool {
	var c confirmation
	return json.Unmarshal(note.Body, &c) == nil && c.Path == a.RepositoryPath()
}

// checkDisk compares devices: copies on the disk of the data die with it. The
// declaration's own directory and the root filesystem stand for the data.
func (a *App) checkDisk(v *service.Verdict) error {
	copies, err := device(a.RepositoryPath())
	if err != nil {
		return fmt.Errorf("find the disk of the repository: %w", err)
	}
	for _, data := range []string{a.Config.Base, "/"} {
		d, err := device(data)
		if err != nil {
			return fmt.Errorf("find the disk of %s: %w", data, err)
		}
		if d == copies {
			v.Warn("upkeep.copies-share-disk", "", service.Args{"path": a.RepositoryPath(), "data": data})
			return nil
		}
	}
	return nil
}

func device(path string) (uint64, error) {
	var st syscall.Stat_t
	err := syscall.Stat(path, &st)
	if err == syscall.ENOENT {
		return device(parent(path))
	}
	return st.Dev, err
}

func parent(path string) string { return filepath.Dir(filepath.Clean(path)) }

// ConfirmPassword records that the repository's password is kept elsewhere.
func (a *App) ConfirmPassword(ctx context.Context) error {
	j, err := a.Journal(ctx)
	if err != nil {
		return err
	}
	return j.Note(ctx, a.Config.System, passwordKept, confirmation{By: a.opt.User, Path: a.RepositoryPath()})
}
