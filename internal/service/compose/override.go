package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"

	"upkeep/internal/service"
)

// overrideName is the compose file that is upkeep's own: the last under files:, in
// the directory of the project. It may be declared before it exists.
const overrideName = "compose.upkeep.yml"

// overrideHead is how the file begins.
const overrideHead = `# Log limits that upkeep maintain has set. This file is upkeep's own: what is changed
# here by hand is refused; change the project's own files instead.
`

// override is all that the file may hold: another key means that somebody else
// writes there.
type override struct {
	Services map[string]limited `yaml:"services"`
}

type limited struct {
	Logging logging `yaml:"logging"`
}

type logging struct {
	Driver  string            `yaml:"driver"`
	Options map[string]string `yaml:"options"`
}

// rotated is the limit that is set: 50 MB of each container.
func rotated() limited {
	return limited{logging{Driver: "json-file", Options: map[string]string{"max-size": "10m", "max-file": "5"}}}
}

// overridePath is where the file is declared; empty = it is not.
func (in *Instance) overridePath() string {
	i := slices.IndexFunc(in.cfg.Files, isOverride)
	if i < 0 {
		return ""
	}
	return in.within(in.cfg.Files[i])
}

func isOverride(name string) bool { return filepath.Base(name) == overrideName }

// readOverride returns what the file holds; one that does not exist holds nothing.
func (in *Instance) readOverride() (override, error) {
	o := override{Services: map[string]limited{}}
	content, err := os.ReadFile(in.overridePath())
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil
	}
	if err != nil {
		return o, unreadable(in.overridePath(), err)
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	d.KnownFields(true)
	if err := d.Decode(&o); err != nil && !errors.Is(err, io.EOF) || !o.own() {
		return o, &service.Fault{ID: "compose.override-not-ours", Args: service.Args{"file": in.overridePath()},
			Err: fmt.Errorf("read %s: it holds more than log limits: %w", in.overridePath(), service.ErrRefused)}
	}
	return o, nil
}

func (o override) own() bool {
	for _, s := range o.Services {
		if s.Logging.Driver != rotated().Logging.Driver || !maps.Equal(s.Logging.Options, rotated().Logging.Options) {
			return false
		}
	}
	return true
}

// writeOverride puts the file in place in one move, or removes it when it holds
// nothing, after the project was loaded with it.
func (in *Instance) writeOverride(ctx context.Context, o override) error {
	path := in.overridePath()
	if len(o.Services) == 0 {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", path, err)
		}
		return nil
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	text = append([]byte(overrideHead), text...)
	if _, err := in.loadWith(ctx, text); err != nil {
		return fmt.Errorf("load the project with the new %s: %w", overrideName, err)
	}
	return replaceFile(path, text)
}

func replaceFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
