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

// ownPassword returns the password of the repository in the state directory. It
// is made once; whoever runs the first backup is told where it lies and shown it
// once, by NewPassword.
func (a *App) ownPassword() (string, error) {
	path := a.PasswordFile()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return a.makePassword(path)
	}
	if err != nil {
		return "", fmt.Errorf("read the repository's password: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// PasswordFile is where the password of a repository in the state directory lies;
// empty when the declaration names a repository of its own.
func (a *App) PasswordFile() string {
	if a.Config.Repository.Path != "" {
		return ""
	}
	return filepath.Join(a.stateDir, "copies.password")
}

func (a *App) makePassword(path string) (string, error) {
	if _, err := os.Stat(a.RepositoryPath()); err == nil {
		return "", fmt.Errorf("%s is missing, but the repository %s exists and needs it", path, a.RepositoryPath())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("make the state directory: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the repository's password: %w", err)
	}
	if a.opt.NewPassword != nil {
		a.opt.NewPassword(path, password)
	}
	return password, nil
}
