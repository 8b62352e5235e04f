package initialize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// stack is a compose project, merged and filled in as compose would do it.
type stack struct {
	dir      string // absolute; relative paths in the files start from it
	files    []composeFile
	included []composeFile // by those files
	env      *environment
	project  *types.Project
	named    string // by the files or the environment; empty = by its directory
}

// composeFile is one of the files that make up the project.
type composeFile struct {
	path    string // absolute
	name    string // as the declaration calls it
	content []byte
	raw     map[string]any // with ${…} as it is written
}

// unnamed is the project's name until the files say another.
const unnamed = "upkeep-unnamed-project"

// composeFiles says which files compose would read in a directory: those of
// COMPOSE_FILE, else the first of its names and the first override.
func composeFiles(dir string, env *environment) ([]string, error) {
	if named, ok := env.lookup("COMPOSE_FILE"); ok && named != "" {
		separator := string(os.PathListSeparator)
		if other, ok := env.lookup("COMPOSE_PATH_SEPARATOR"); ok && other != "" {
			separator = other
		}
		var paths []string
		for _, path := range strings.Split(named, separator) {
			paths = append(paths, within(dir, path))
		}
		return paths, nil
	}
	paths, err := firstOf(dir, "compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
	if err != nil || len(paths) == 0 {
		return nil, err
	}
	override, err := firstOf(dir, "compose.override.yml", "compose.override.yaml",
		"docker-compose.override.yml", "docker-compose.override.yaml")
	return append(paths, override...), err
}

func within(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// firstOf returns the first of those names that is there, or none.
func firstOf(dir string, names ...string) ([]string, error) {
	for _, name := range names {
		path := filepath.Join(dir, name)
		_, err := os.Lstat(path)
		if err == nil {
			return []string{path}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// compose declares what a compose project says.
func (s *survey) compose(ctx context.Context, env *environment, paths []string) error {
	st := &stack{dir: filepath.Dir(paths[0]), env: env}
	for _, path := range paths {
		content, err := readSmall(path)
		if err != nil {
			return unreadable(path, err)
		}
		f := composeFile{path: path, name: s.relative(path), content: withoutVersion(content)}
		if err := f.wellFormed(); err != nil {
			return err
		}
		st.files = append(st.files, f)
	}
	if err := st.follow(); err != nil {
		return err
	}
	leniency, err := st.load(ctx)
	if err != nil {
		return err
	}
	for _, problem := range leniency {
		s.note("compose-lenient", service.Args{"problem": problem.Prefix() + s.opt.Words.Sprintf(problem.Format, problem.Args...)})
	}
	s.system = validName(firstNonEmpty(st.named, filepath.Base(s.opt.Dir)))
	s.head = message("head-compose", service.Args{"files": st.names()})
	s.otherFiles(st)
	s.project(st)
	s.services(ctx, st)
	s.directories(st)
	if unset := env.unsetNames(); len(unset) > 0 {
		s.note("unset", service.Args{"names": unset})
	}
	return nil
}

func unreadable(path string, err error) error {
	var p diag.List
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, fs.ErrNotExist):
		p.Addf("", "there is no such file; COMPOSE_FILE or a link names it")
	default:
		p.Addf("", "cannot be read: %s", err)
	}
	p[0].File = path
	return p
}

func firstNonEmpty(texts ...string) string {
	i := slices.IndexFunc(texts, func(text string) bool { return text != "" })
	if i < 0 {
		return ""
	}
	return texts[i]
}

func (st *stack) names() []string {
	var names []string
	for _, f := range st.files {
		names = append(names, f.name)
	}
	return names
}

// load reads the files strictly, then without their schema (a newer compose may
// have keys that ours does not know), then without the files that they include
// or extend. What the strict reading found wrong comes back beside a stack that
// could be read otherwise.
func (st *stack) load(ctx context.Context) (leniency diag.List, err error) {
	ways := []func(*loader.Options){
		func(*loader.Options) {},
		func(o *loader.Options) { o.SkipValidation = true },
		func(o *loader.Options) { o.SkipValidation, o.SkipExtends, o.SkipInclude = true, true, true },
	}
	for _, way := range ways {
		if st.project, err = st.read(ctx, way); err == nil {
			break
		}
		if leniency == nil {
			leniency = st.problem(err)
		}
	}
	if err != nil {
		return nil, leniency
	}
	if st.project.Name != unnamed {
		st.named = st.project.Name
	}
	return leniency, st.readRaw(ctx)
}

// read is the loader's reading. Without its schema it panics on what the schema
// would have refused.
func (st *stack) read(ctx context.Context, way func(*loader.Options)) (project *types.Project, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("read compose files: %v", caught)
		}
	}()
	return loader.LoadWithContext(ctx, st.details(st.files...), st.options, way)
}

func (st *stack) details(files ...composeFile) types.ConfigDetails {
	d := types.ConfigDetails{WorkingDir: st.dir, Environment: st.env.all()}
	for _, f := range files {
		d.ConfigFiles = append(d.ConfigFiles, types.ConfigFile{Filename: f.path, Content: f.content})
	}
	return d
}

func (st *stack) options(o *loader.Options) {
	o.SkipNormalization, o.SkipConsistencyCheck, o.SkipResolveEnvironment, o.SkipResolveLabels = true, true, true, true
	o.Interpolate = &interpolation.Options{Substitute: st.env.substitute, LookupValue: st.env.lookup,
		TypeCastMapping: o.Interpolate.TypeCastMapping}
	o.SetProjectName(unnamed, false)
	if name, ok := st.env.lookup("COMPOSE_PROJECT_NAME"); ok && name != "" {
		o.SetProjectName(loader.NormalizeProjectName(name), true)
	}
	if profiles, ok := st.env.lookup("COMPOSE_PROFILES"); ok && profiles != "" {
		o.Profiles = strings.Split(profiles, ",")
	}
}

// otherFiles notes compose files that lie beside those that were read.
func (s *survey) otherFiles(st *stack) {
	var others []string
	for _, pattern := range []string{"compose*.y*ml", "docker-compose*.y*ml"} {
		found, _ := filepath.Glob(filepath.Join(escape(s.opt.Dir), pattern)) // the pattern is well formed
		for _, path := range found {
			if !slices.ContainsFunc(st.files, func(f composeFile) bool { return f.path == path }) {
				others = append(others, s.relative(path))
			}
		}
	}
	if len(others) > 0 {
		s.note("other-files", service.Args{"files": others, "read": strings.Join(st.names(), ":"), "also": others[0]})
	}
}

// relative names a path as the declaration should: relative to its directory
// where it lies in it.
func (s *survey) relative(path string) string {
	relative, err := filepath.Rel(s.opt.Dir, path)
	if err != nil || relative == ".." || strings.HasPrefix(relative, "../") {
		return path
	}
	return relative
}
