package initialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"upkeep/internal/config"
	"upkeep/internal/repository"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// Place is a repository as the command line named it, in words that hold from
// the directory of the declaration.
type Place struct {
	Path     string // absolute
	Password string // a reference
}

// Recovered are the files of a declaration as they are to be written.
type Recovered struct {
	Draft
	Name  string            // of the declaration among Files
	Files map[string][]byte // by file name, the declaration among them
}

// Recover takes the declaration of the newest complete restore point. Where the
// repository holds several systems, the one called like the directory is meant,
// else the newest. The declaration is changed only where it must be for its own
// repository to be found again, and visibly so.
func Recover(ctx context.Context, opt Options, r *repository.Repository, place Place) (Recovered, error) {
	dir, err := directory(opt.Dir)
	if err != nil {
		return Recovered{}, err
	}
	opt.Dir = dir
	s := &survey{opt: opt}
	point, err := s.newest(ctx, r, place)
	if err != nil {
		return Recovered{}, err
	}
	name, err := declarationIn(point.Declaration.Files)
	if err != nil {
		return Recovered{}, fmt.Errorf("restore point %s: %w", point.ID, err)
	}
	s.note("recovered", service.Args{"system": point.System, "point": point.ID, "taken": point.Taken})
	files := maps.Clone(point.Declaration.Files)
	changed, targets, err := s.adjust(name, files[name], place)
	if err != nil {
		return Recovered{}, err
	}
	files[name] = changed
	return Recovered{Name: name, Files: files, Draft: Draft{Text: changed, Targets: targets, Notes: s.notes}}, nil
}

// newest finds the point to take: of the system that is meant, the newest whose
// declaration can be read.
func (s *survey) newest(ctx context.Context, r *repository.Repository, place Place) (repository.Point, error) {
	all, err := r.Points(ctx)
	if err != nil {
		return repository.Point{}, err
	}
	all = slices.DeleteFunc(all, func(p repository.Point) bool {
		return !p.Complete || p.Reason == repository.ReasonBeforeRestore
	})
	if len(all) == 0 {
		return repository.Point{}, fmt.Errorf("the repository %s holds no complete restore point: %w", place.Path, service.ErrNotFound)
	}
	system := s.choose(all, place)
	for _, p := range all {
		if p.System != system {
			continue
		}
		whole, err := r.Point(ctx, p.ID)
		if err != nil {
			return repository.Point{}, err
		}
		if _, err := declarationIn(whole.Declaration.Files); err == nil {
			return whole, nil
		}
		s.note("older-point", service.Args{"point": p.ID})
	}
	return repository.Point{}, fmt.Errorf("no restore point of %s holds a declaration that can be read: %w", system, service.ErrDamaged)
}

// choose names the system that is meant and notes the others. Points come newest
// first.
func (s *survey) choose(points []repository.Point, place Place) string {
	system := points[0].System
	var others []string
	for _, p := range points {
		if p.System == filepath.Base(s.opt.Dir) {
			system = p.System
		}
		others = append(others, p.System)
	}
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(name string) bool { return name == system })
	if len(others) > 0 {
		s.note("other-systems", service.Args{"systems": others, "path": place.Path})
	}
	return system
}

// declarationIn finds the declaration among the files of a point. Their names are
// those of one directory: anything else would be written where nobody looks.
func declarationIn(files map[string][]byte) (string, error) {
	var yamls []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
			return "", fmt.Errorf("the declaration holds a file called %q: %w", name, service.ErrDamaged)
		}
		if ext := filepath.Ext(name); name == FileName {
			return name, nil
		} else if ext == ".yaml" || ext == ".yml" {
			yamls = append(yamls, name)
		}
	}
	if len(yamls) == 0 {
		return "", fmt.Errorf("it holds no declaration: %w", service.ErrNotFound)
	}
	return yamls[0], nil
}

// adjust makes the declaration name the repository it came from, and says how
// many targets it has.
func (s *survey) adjust(name string, written []byte, place Place) (changed []byte, targets int, err error) {
	path := filepath.Join(s.opt.Dir, name)
	before, problems := config.Parse(path, written, s.opt.Kinds)
	changed = written
	if declared := before.Repository; declared.Path != place.Path || s.fromHere(declared.Password.String()) != s.fromHere(place.Password) {
		if changed, err = s.nameRepository(name, written, place); err != nil {
			return nil, 0, err
		}
	}
	after, now := config.Parse(path, changed, s.opt.Kinds)
	if len(now) > len(problems) {
		return nil, 0, fmt.Errorf("the declaration does not load with its repository changed: %s", now.Error())
	}
	if len(now) > 0 {
		s.note("not-this-version", service.Args{"n": len(now)})
	}
	if missing := s.missingSecrets(changed); len(missing) > 0 {
		s.note("secret-missing", service.Args{"references": missing})
	}
	return changed, len(after.Services), nil
}

// fromHere makes the path of a reference absolute.
func (s *survey) fromHere(reference string) string { return Absolute(reference, s.opt.Dir) }

// Absolute makes the path of a reference absolute, so that it holds from any
// directory.
func Absolute(reference, base string) string {
	ref := secret.Parse(reference)
	if ref.Scheme != secret.File && ref.Scheme != secret.Dotenv && ref.Scheme != secret.Compose || filepath.IsAbs(ref.Place) {
		return reference
	}
	path, key, keyed := strings.Cut(ref.Place, "#")
	if keyed {
		key = "#" + key
	}
	return string(ref.Scheme) + ":" + filepath.Join(base, path) + key
}

// referenceFromHere is an absolute reference as the declaration should have it.
func (s *survey) referenceFromHere(reference string) string {
	scheme, path, _ := strings.Cut(reference, ":")
	if !filepath.IsAbs(path) {
		return reference
	}
	return scheme + ":" + s.relative(path)
}

// missingSecrets lists references of the declaration to files that are not there.
func (s *survey) missingSecrets(written []byte) []string {
	file, err := parser.ParseBytes(written, 0)
	if err != nil {
		return nil // its problems are counted already
	}
	var missing []string
	for _, doc := range file.Docs {
		ast.Walk(visitor(func(node ast.Node) {
			text, ok := node.(*ast.StringNode)
			if !ok {
				return
			}
			ref := secret.Parse(text.Value)
			path, _, _ := strings.Cut(ref.Place, "#")
			if ref.Scheme != secret.File && ref.Scheme != secret.Dotenv && ref.Scheme != secret.Compose {
				return
			}
			if _, err := os.Stat(within(s.opt.Dir, path)); errors.Is(err, fs.ErrNotExist) {
				missing = append(missing, text.Value)
			}
		}), doc.Body)
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

type visitor func(ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(node ast.Node) ast.Visitor {
	v(node)
	return v
}
