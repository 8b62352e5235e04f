// Package initialize writes the first upkeep.yaml of a system: from its compose
// files, its directories and the servers that listen, or from a restore point
// after a lost machine. It guesses, says what it guessed, and never writes a
// secret or over a file. It does not judge what it finds: that is what check is
// for.
package initialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// FileName is what is written.
const FileName = "upkeep.yaml"

// Options say where to look and for whom to write.
type Options struct {
	Dir      string
	Words    catalogue.Words
	Kinds    *service.Registry
	Getenv   func(string) string
	StateDir string // where copies go when no repository is declared
	Machine  Machine
}

// Draft is a declaration that was made and not yet written.
type Draft struct {
	Text    []byte
	Targets int
	Notes   []service.Message // what was guessed, left out or could not be reached
}

// Survey looks at a directory and this machine and drafts a declaration. Files
// that cannot be understood are a diag.List with their positions.
func Survey(ctx context.Context, opt Options) (Draft, error) {
	dir, err := directory(opt.Dir)
	if err != nil {
		return Draft{}, err
	}
	opt.Dir = dir
	s := &survey{opt: opt, taken: map[string]bool{}, byService: map[string]string{}}
	env, err := readEnvironment(dir, opt.Getenv)
	if err != nil {
		return Draft{}, err
	}
	files, err := composeFiles(dir, env)
	if err != nil {
		return Draft{}, err
	}
	if len(files) > 0 {
		err = s.compose(ctx, env, files)
	} else {
		s.machine(ctx, env)
	}
	if err != nil {
		return Draft{}, err
	}
	s.host()
	s.probe(ctx)
	return s.draft()
}

// directory returns the absolute path of a directory that is there.
func directory(dir string) (string, error) {
	info, err := os.Stat(dir)
	var p diag.List
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Addf("", "there is no such directory")
	case err != nil:
		p.Addf("", "cannot be read: %s", err)
	case !info.IsDir():
		p.Addf("", "is not a directory")
	default:
		return filepath.Abs(dir)
	}
	p[0].File = dir
	return "", p
}

// survey is what has been found so far.
type survey struct {
	opt       Options
	system    string
	head      service.Message // where all of it comes from
	targets   []target
	taken     map[string]bool   // names of targets
	byService map[string]string // compose service → target
	stack     string            // the target that is the project; empty = none
	left      []service.Message // services that no target stands for
	notes     []service.Message
}

func (s *survey) note(id string, args service.Args) {
	s.notes = append(s.notes, message(id, args))
}

// leave records a service that no target stands for: in the file and as a note.
func (s *survey) leave(id string, args service.Args) {
	s.left = append(s.left, message(id, args))
	s.note(id, args)
}

func message(id string, args service.Args) service.Message {
	return service.Message{ID: "init." + id, Args: args}
}

// known reports whether this version has a kind.
func (s *survey) known(kind string) bool {
	_, ok := s.opt.Kinds.Lookup(kind)
	return ok
}

// host adds this machine, in front: everything else lives on it.
func (s *survey) host() {
	if !s.known("host") {
		return
	}
	s.targets = append([]target{{name: s.name("host"), kind: "host", about: []service.Message{message("about-host", nil)}}}, s.targets...)
}

// draft renders what was found and reads it back: what does not load is never
// written.
func (s *survey) draft() (Draft, error) {
	if len(s.targets) == 0 {
		return Draft{}, fmt.Errorf("nothing was found that could be declared: %w", service.ErrNotFound)
	}
	rendered, err := s.render()
	if err != nil {
		return Draft{}, err
	}
	if _, problems := config.Parse(filepath.Join(s.opt.Dir, FileName), rendered, s.opt.Kinds); len(problems) > 0 {
		return Draft{}, fmt.Errorf("the drafted declaration does not load: %s", problems.Error())
	}
	return Draft{Text: rendered, Targets: len(s.targets), Notes: s.notes}, nil
}
