package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// Repository opens the declared repository, or the one in the state directory.
// Where there is none the error wraps service.ErrNotFound.
func (a *App) Repository(ctx context.Context) (*repository.Repository, error) {
	return a.openRepository(ctx, false)
}

func (a *App) openRepository(ctx context.Context, write bool) (*repository.Repository, error) {
	if a.repository != nil {
		return a.repository, nil
	}
	if _, err := os.Stat(a.RepositoryPath()); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no repository at %s: %w", a.RepositoryPath(), service.ErrNotFound)
	}
	opt, err := a.repositoryOptions(ctx)
	if err != nil {
		return nil, err
	}
	opt.Write = write
	r, err := repository.Open(ctx, opt)
	if errors.Is(err, repository.ErrPassword) && opt.Password == "" {
		err = fmt.Errorf("%s is missing, and the repository needs it: %w", a.PasswordFile(), err)
	}
	if errors.Is(err, repository.ErrPassword) {
		return nil, &service.Fault{ID: "error.wrong-password", Args: service.Args{"path": opt.Path}, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open the repository %s: %w", opt.Path, err)
	}
	a.repository = r
	return r, nil
}

// madeAt is where the path of a repository is kept that this machine made or
// wrote to: when it is gone, a disk is not mounted, and a new one would hide that.
const madeAt = "repository-path"

// repositoryForWriting also makes a repository where there was never one.
func (a *App) repositoryForWriting(ctx context.Context) (*repository.Repository, error) {
	state := a.state(a.Config.System, "repository")
	known, err := state.Get(ctx, madeAt)
	if err != nil {
		return nil, err
	}
	r, err := a.openRepository(ctx, true)
	switch {
	case errors.Is(err, service.ErrNotFound) && known == a.RepositoryPath():
		return nil, &service.Fault{ID: "error.repository-gone", Args: service.Args{"path": known},
			Err: fmt.Errorf("the repository %s was there and is not any more: %w", known, service.ErrRefused)}
	case errors.Is(err, service.ErrNotFound):
		r, err = a.createRepository(ctx)
	}
	if err != nil || known == a.RepositoryPath() {
		return r, err
	}
	return r, state.Set(ctx, madeAt, a.RepositoryPath())
}

func (a *App) createRepository(ctx context.Context) (*repository.Repository, error) {
	if a.PasswordFile() != "" {
		if err := a.makePassword(); err != nil {
			return nil, err
		}
	}
	opt, err := a.repositoryOptions(ctx)
	if err != nil {
		return nil, err
	}
	opt.Write = true
	if a.repository, err = repository.Create(ctx, opt); err != nil {
		return nil, fmt.Errorf("make the repository %s: %w", opt.Path, err)
	}
	return a.repository, nil
}

func (a *App) repositoryOptions(ctx context.Context) (repository.Options, error) {
	opt := repository.Options{Path: a.RepositoryPath(), CacheDir: filepath.Join(a.stateDir, "cache"), Now: a.opt.Now}
	if a.Config.Repository.Path == "" {
		password, err := a.ownPassword()
		opt.Password = password
		return opt, err
	}
	password, err := a.reveal(ctx, a.Config.Repository.Password)
	if err != nil {
		return opt, fmt.Errorf("read the repository's password: %w", err)
	}
	opt.Password = password
	return opt, nil
}
