package initialize

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"

	"upkeep/internal/diag"
)

// environment is what ${NAME} in a compose file stands for: this process's
// environment first, then .env.
type environment struct {
	dir     string
	getenv  func(string) string
	dotenv  map[string]string
	written bool // there is a .env
	unset   map[string]bool
}

func readEnvironment(dir string, getenv func(string) string) (*environment, error) {
	e := &environment{dir: dir, getenv: getenv, unset: map[string]bool{}}
	values, err := e.readDotenv(filepath.Join(dir, ".env"))
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	e.dotenv, e.written = values, true
	return e, err
}

// readDotenv reads NAME=value lines as compose does. Errors carry the position
// and never a line, which may hold a secret.
func (e *environment) readDotenv(path string) (map[string]string, error) {
	content, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	content = bytes.TrimPrefix(content, []byte("\uFEFF"))
	values, err := dotenv.UnmarshalBytesWithLookup(content, e.fromProcess)
	if err != nil {
		var p diag.List
		p.Addf("", "is not a well-formed .env file")
		p[0].File = path
		p[0].Line, p[0].Column = position(err)
		return nil, p
	}
	return values, nil
}

func (e *environment) fromProcess(name string) (string, bool) {
	value := e.getenv(name)
	return value, value != ""
}

func (e *environment) lookup(name string) (string, bool) {
	if value, ok := e.fromProcess(name); ok {
		return value, true
	}
	value, ok := e.dotenv[name]
	return value, ok
}

// all is the environment as a map, for what compose passes through.
func (e *environment) all() types.Mapping {
	all := types.Mapping(maps.Clone(e.dotenv))
	if all == nil {
		all = types.Mapping{}
	}
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		if value, ok := e.fromProcess(name); ok {
			all[name] = value
		}
	}
	return all
}

// standIn takes the place of a variable that a file requires and nobody set: a
// port of that number counts as not published.
const standIn = "0"

// substitute fills in ${NAME}. A required variable that is missing is recorded
// instead of ending everything, and no error quotes the text.
func (e *environment) substitute(text string, mapping template.Mapping) (string, error) {
	given := map[string]bool{}
	lookup := func(name string) (string, bool) {
		if given[name] {
			return standIn, true
		}
		return mapping(name)
	}
	for {
		filled, err := template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
		var missing *template.MissingRequiredError
		switch {
		case err == nil:
			return filled, nil
		case errors.As(err, &missing) && !given[missing.Variable]:
			given[missing.Variable], e.unset[missing.Variable] = true, true
		default:
			return "", errors.New(`a "$" begins no variable; write "$$" for the sign itself`)
		}
	}
}

// plainVariable finds $NAME and ${NAME} without a default; $$ is no variable.
var plainVariable = regexp.MustCompile(`\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})`)

// findUnset records the variables without a value in any text below raw.
func (e *environment) findUnset(raw any) {
	switch value := raw.(type) {
	case map[string]any:
		for _, inner := range value {
			e.findUnset(inner)
		}
	case []any:
		for _, inner := range value {
			e.findUnset(inner)
		}
	case string:
		for _, match := range plainVariable.FindAllStringSubmatch(value, -1) {
			name := match[1] + match[2]
			if _, ok := e.lookup(name); !ok && name != "" {
				e.unset[name] = true
			}
		}
	}
}

func (e *environment) unsetNames() []string { return slices.Sorted(maps.Keys(e.unset)) }

// oneVariable returns NAME of a text that is ${NAME}, ${NAME:-default} or $NAME
// and nothing else; else "".
func oneVariable(text string) string {
	match := regexp.MustCompile(`^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?[-?].*)?\})$`).FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return match[1] + match[2]
}

// maxFile bounds every file that is read, in bytes: references into larger ones
// could not be resolved later either.
const maxFile = 1 << 20

// readSmall reads a regular file of at most maxFile bytes. What is something else
// is a diag.List.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, notSmall(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		return nil, notSmall(path)
	}
	return content, err
}

func notSmall(path string) diag.List {
	var p diag.List
	p.Addf("", "is not a file of at most %d bytes", maxFile)
	p[0].File = path
	return p
}
