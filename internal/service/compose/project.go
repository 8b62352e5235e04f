package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
)

// project is what the files declare, merged and filled in as docker compose would
// do it when upkeep's user ran it here: this process's environment first, then the
// environment file.
type project struct {
	*types.Project
	files []string // that exist, by path
	unset []string // variables that are used, have no value and no default
}

func (in *Instance) load(ctx context.Context) (*project, error) { return in.loadWith(ctx, nil) }

// loadWith loads with another content of upkeep's own file; nil = that on the disk.
func (in *Instance) loadWith(ctx context.Context, own []byte) (*project, error) {
	files, err := in.readFiles(own)
	if err != nil {
		return nil, err
	}
	values, err := in.values(filepath.Dir(files[0].Filename))
	if err != nil {
		return nil, err
	}
	unset := map[string]bool{}
	details := types.ConfigDetails{WorkingDir: filepath.Dir(files[0].Filename), ConfigFiles: files, Environment: values}
	loaded, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		in.name(o, details)
		o.Profiles = in.profiles(values)
		o.Interpolate.Substitute = substitute(unset)
	})
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read the compose files: %w", ctx.Err())
	}
	if err != nil {
		return nil, invalid(files, err)
	}
	return &project{loaded, namesOf(files), slices.Sorted(maps.Keys(unset))}, nil
}

// maxFile bounds a compose file, in bytes.
const maxFile = 1 << 20

func (in *Instance) readFiles(own []byte) ([]types.ConfigFile, error) {
	var files []types.ConfigFile
	for _, name := range in.cfg.Files {
		path := in.within(name)
		content, err := os.ReadFile(path)
		switch {
		case isOverride(name) && own != nil:
			content = own
		case isOverride(name) && errors.Is(err, fs.ErrNotExist):
			continue // it is made when a limit is set
		case err != nil:
			return nil, unreadable(path, err)
		}
		if len(content) > maxFile {
			return nil, unreadable(path, fmt.Errorf("it has more than %d bytes", maxFile))
		}
		file := types.ConfigFile{Filename: path, Content: withoutVersion(content)}
		if err := wellFormed(file); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func namesOf(files []types.ConfigFile) (names []string) {
	for _, f := range files {
		names = append(names, f.Filename)
	}
	return names
}

// withoutVersion blanks the obsolete top-level version: line, about which the
// loader would complain on the standard error.
func withoutVersion(content []byte) []byte {
	return regexp.MustCompile(`(?m)^["']?version["']?[ \t]*:[^\n{\[|>&]*$`).ReplaceAll(content, nil)
}

func (in *Instance) within(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(in.env.Base, name)
}

// values are what ${NAME} stands for.
func (in *Instance) values(dir string) (types.Mapping, error) {
	values := types.NewMapping(os.Environ())
	path := in.envFile(dir)
	if _, err := os.Stat(path); in.cfg.EnvFile == "" && os.IsNotExist(err) {
		return values, nil
	}
	written, err := dotenv.GetEnvFromFile(values, []string{path})
	if err != nil {
		return nil, unreadable(path, errNotEnvironment(err))
	}
	return values.Merge(written), nil
}

// envFile is where the values of variables are written down, for a project in dir.
func (in *Instance) envFile(dir string) string {
	if in.cfg.EnvFile != "" {
		return in.within(in.cfg.EnvFile)
	}
	return filepath.Join(dir, ".env")
}

// name follows the precedence of compose: the declaration, the environment, the
// files themselves, the directory.
func (in *Instance) name(o *loader.Options, details types.ConfigDetails) {
	if in.cfg.Project != "" {
		o.SetProjectName(in.cfg.Project, true)
		return
	}
	if named := details.Environment["COMPOSE_PROJECT_NAME"]; named != "" {
		o.SetProjectName(loader.NormalizeProjectName(named), true)
		return
	}
	o.SetProjectName(loader.NormalizeProjectName(filepath.Base(details.WorkingDir)), false)
}

func (in *Instance) profiles(values types.Mapping) []string {
	if len(in.cfg.Profiles) > 0 || values["COMPOSE_PROFILES"] == "" {
		return in.cfg.Profiles
	}
	return strings.Split(values["COMPOSE_PROFILES"], ",")
}

// plainVariable finds $NAME and ${NAME} without a default; $$ is no variable.
var plainVariable = regexp.MustCompile(`\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})`)

// substitute fills in variables and records those without a value, in place of
// the loader's own warnings on the standard error.
func substitute(unset map[string]bool) func(string, template.Mapping) (string, error) {
	return func(text string, lookup template.Mapping) (string, error) {
		for _, match := range plainVariable.FindAllStringSubmatch(text, -1) {
			name := match[1] + match[2]
			if _, set := lookup(name); name != "" && !set {
				unset[name] = true
			}
		}
		return template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
	}
}

// expected is what the declaration wants of a service. A service that others
// depend on to end well is a job, whether that was declared or not.
func (in *Instance) expected(p *project, name string) Expected {
	want := in.cfg.Services[name]
	if want.Expect != "" {
		return want
	}
	want.Expect = running
	for _, other := range p.Services {
		if other.DependsOn[name].Condition == types.ServiceConditionCompletedSuccessfully {
			want.Expect = exited
		}
	}
	return want
}

// imageOf is the image that a service runs, by the name that compose gives it.
func (p *project) imageOf(s types.ServiceConfig) string {
	if s.Image != "" {
		return s.Image
	}
	return p.Name + "-" + s.Name
}

// command is the beginning of every docker compose command about the project.
func (in *Instance) command(p *project) string {
	words := []string{"docker"}
	if in.cfg.Host != "unix:///var/run/docker.sock" {
		words = append(words, "-H", in.cfg.Host)
	}
	words = slices.Concat(words, []string{"compose"}, in.composeArgs(p))
	for i, word := range words {
		words[i] = quoted(word)
	}
	return strings.Join(words, " ")
}

// composeArgs name the project to docker compose.
func (in *Instance) composeArgs(p *project) []string {
	args := []string{"-p", p.Name}
	for _, file := range p.files {
		args = append(args, "-f", file)
	}
	if in.cfg.EnvFile != "" {
		args = append(args, "--env-file", in.within(in.cfg.EnvFile))
	}
	return args
}

// quoted is a word as a shell takes it, where it needs that.
func quoted(word string) string {
	if regexp.MustCompile(`^[\w@%+=:,./-]+$`).MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
