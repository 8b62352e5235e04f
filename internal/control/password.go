package control

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// PasswordFile is where the password of a repository in the state directory lies;
// empty when the declaration names a repository of its own.
func (a *App) PasswordFile() string {
	if a.Config.Repository.Path != "" {
		return ""
	}
	return filepath.Join(a.stateDir, "copies.password")
}

// ownPassword reads the password of the repository in the state directory: empty
// when there is none. It makes none either: only a backup does.
func (a *App) ownPassword() (string, error) {
	text, err := os.ReadFile(a.PasswordFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the repository's password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// makePassword makes the password of a repository that is yet to be made, once:
// one that an interrupted backup left is used. Whoever runs the first backup is
// told where it lies and shown it, by NewPassword.
func (a *App) makePassword() error {
	if err := os.MkdirAll(a.stateDir, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", a.notOpened(err))
	}
	f, err := os.OpenFile(a.PasswordFile(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep the repository's password: %w", a.notOpened(err))
	}
	password := rand.Text()
	_, err = f.WriteString(password + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep the repository's password: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if a.opt.NewPassword != nil {
		a.opt.NewPassword(f.Name(), password)
	}
	return nil
}
