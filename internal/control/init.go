package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"upkeep/internal/capability/initialize"
	"upkeep/internal/catalogue"
	"upkeep/internal/command"
	"upkeep/internal/config"
	"upkeep/internal/diag"
	"upkeep/internal/repository"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// InitRequest says where a declaration is to be written and from what.
type InitRequest struct {
	Dir            string
	FromRepository string // path of a repository; empty = look at the machine
	Password       string // reference to its password
	DryRun         bool
	Words          catalogue.Words // of the comments in the file
}

// Made is a declaration that was written, or would be.
type Made struct {
	File    string            `json:"file"`
	Targets int               `json:"targets"`
	Notes   []service.Message `json:"notes"` // what was guessed, and what could not be reached
	Text    []byte            `json:"-"`
}

// Init writes an upkeep.yaml, never over an existing one.
func Init(ctx context.Context, req InitRequest, opt Options) (Made, error) {
	if req.FromRepository != "" {
		return recoverFrom(ctx, req, opt)
	}
	file := filepath.Join(req.Dir, initialize.FileName)
	if err := free(req, file); err != nil {
		return Made{}, err
	}
	draft, err := initialize.Survey(ctx, initOptions(req, opt))
	if err != nil {
		return Made{}, err
	}
	if !req.DryRun {
		err = initialize.Write(file, draft.Text)
	}
	return Made{File: file, Targets: draft.Targets, Notes: draft.Notes, Text: draft.Text}, err
}

func initOptions(req InitRequest, opt Options) initialize.Options {
	return initialize.Options{Dir: req.Dir, Words: req.Words, Kinds: opt.Kinds, Getenv: opt.Getenv,
		StateDir: stateDir(&config.Config{}, opt.Getenv)}
}

// free asks before the work is done; Write asks again. A dry run writes nothing.
func free(req InitRequest, files ...string) error {
	if req.DryRun {
		return nil
	}
	for _, file := range files {
		if err := initialize.Free(file); err != nil {
			return err
		}
	}
	return nil
}

// recoverFrom brings a declaration back from a restore point.
func recoverFrom(ctx context.Context, req InitRequest, opt Options) (made Made, err error) {
	if err := free(req, filepath.Join(req.Dir, initialize.FileName)); err != nil {
		return Made{}, err
	}
	place, err := initPlace(req)
	if err != nil {
		return Made{}, err
	}
	r, err := openPlace(ctx, place, opt)
	if err != nil {
		return Made{}, err
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	found, err := initialize.Recover(ctx, initOptions(req, opt), r, place)
	if err != nil {
		return Made{}, err
	}
	made = Made{File: filepath.Join(req.Dir, found.Name), Targets: found.Targets, Notes: found.Notes, Text: found.Text}
	if req.DryRun {
		return made, nil
	}
	return made, writeAll(req, found)
}

// writeAll writes the declaration last: while it is missing, init can be asked
// again.
func writeAll(req InitRequest, found initialize.Recovered) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(found.Files)), func(name string) bool { return name == found.Name })
	names = append(names, found.Name)
	for _, name := range names {
		if err := free(req, filepath.Join(req.Dir, name)); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := initialize.Write(filepath.Join(req.Dir, name), found.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

// initPlace makes what the command line said hold from the declaration's
// directory: it starts from where the command was called.
func initPlace(req InitRequest) (initialize.Place, error) {
	var problems diag.List
	switch secret.Parse(req.Password).Scheme {
	case "":
		problems.Addf("--password", "must be given with --from-repository: a reference such as file:PATH or env:NAME")
	case secret.Literal:
		problems.Addf("--password", "must be a reference such as file:PATH or env:NAME, not the password itself")
	}
	if err := problems.Err(); err != nil {
		return initialize.Place{}, err
	}
	here, err := filepath.Abs(".")
	if err != nil {
		return initialize.Place{}, err
	}
	path, err := filepath.Abs(req.FromRepository)
	return initialize.Place{Path: path, Password: initialize.Absolute(req.Password, here)}, err
}

func openPlace(ctx context.Context, place initialize.Place, opt Options) (*repository.Repository, error) {
	resolver := secret.Resolver{Getenv: opt.Getenv, Run: (&command.Runner{}).Output}
	password, err := resolver.Resolve(ctx, secret.Parse(place.Password))
	if err != nil {
		return nil, fmt.Errorf("read the repository's password: %w", err)
	}
	r, err := repository.Open(ctx, repository.Options{Path: place.Path, Password: password, Now: opt.Now})
	if errors.Is(err, repository.ErrPassword) {
		return nil, &service.Fault{ID: "error.wrong-password", Args: service.Args{"path": place.Path}, Err: err}
	}
	return r, err
}
