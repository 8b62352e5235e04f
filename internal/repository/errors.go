package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"

	"upkeep/internal/service"
)

// Errors of opening and creating.
var (
	ErrPassword = errors.New("wrong repository password")
	ErrExists   = fmt.Errorf("a repository is there already: %w", service.ErrRefused)
)

// openError says why a repository could not be opened. kopia cannot tell a wrong
// password from a damaged format file; the second copy can.
func openError(path string, err error) error {
	switch {
	case couldNotLook(err):
		return err
	case formatDamaged(path):
		return formatFault(path)
	case errors.Is(err, repo.ErrInvalidPassword):
		return ErrPassword
	case errors.Is(err, repo.ErrRepositoryUnavailableDueToUpgradeInProgress):
		return fmt.Errorf("%w: %w", service.ErrBusy, err)
	}
	return readError(err)
}

// formatFault names the way back.
func formatFault(path string) error {
	return &service.Fault{
		ID: "repository.format-damaged", Args: service.Args{"file": formatFile(path), "copy": formatCopy(path)},
		Err: fmt.Errorf("%s is not what its second copy is: %w", formatFile(path), service.ErrDamaged),
	}
}

func formatDamaged(path string) bool {
	current, err := os.ReadFile(formatFile(path))
	if err != nil {
		return false
	}
	saved, err := os.ReadFile(formatCopy(path))
	return err == nil && !bytes.Equal(current, saved)
}

// readError tells bytes that are wrong or gone (service.ErrDamaged) from a disk,
// a permission or a caller that did not let us look.
func readError(err error) error {
	if err == nil || errors.Is(err, service.ErrDamaged) || couldNotLook(err) {
		return err
	}
	return fmt.Errorf("%w: %w", service.ErrDamaged, err)
}

func couldNotLook(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	if errors.Is(err, blob.ErrBlobNotFound) || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	var system syscall.Errno
	return errors.As(err, &system)
}

// writeError marks a full disk.
func writeError(err error) error {
	if err == nil || errors.Is(err, service.ErrNoSpace) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", service.ErrNoSpace, err)
	}
	return err
}
