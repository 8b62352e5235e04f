package secret

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/goccy/go-yaml"
)

// composeFile is what is needed of a compose file. Environment is a mapping or
// a list of NAME=value.
type composeFile struct {
	Services map[string]struct {
		Environment any `yaml:"environment"`
	} `yaml:"services"`
}

// compose reads FILE#SERVICE.VAR: what the container gets as VAR, with ${NAME}
// filled in from the environment, then from the .env beside the file.
func (r *Resolver) compose(place string) (string, error) {
	path, rest, _ := strings.Cut(place, "#")
	dot := strings.LastIndex(rest, ".") // a service's name may hold dots, a variable's may not
	if path == "" || dot < 1 || dot == len(rest)-1 {
		return "", fmt.Errorf("compose:FILE#SERVICE.VAR is wanted: %w", ErrForm)
	}
	declared, err := r.environment(path, rest[:dot])
	if err != nil {
		return "", err
	}
	return r.interpolate(path, declared, rest[dot+1:])
}

// environment returns the variables of a service as they are declared; one
// without a value is nil.
func (r *Resolver) environment(path, service string) (map[string]any, error) {
	content, err := r.readFile(path)
	if err != nil {
		return nil, err
	}
	var file composeFile
	if err := yaml.Unmarshal(content, &file); err != nil {
		// The parser's own message quotes the file, and with it a secret.
		return nil, fmt.Errorf("%s is not a well-formed compose file", path)
	}
	found, ok := file.Services[service]
	if !ok {
		return nil, fmt.Errorf("%s has no service %q: %w", path, service, ErrUnset)
	}
	switch declared := found.Environment.(type) {
	case map[string]any:
		return declared, nil
	case []any:
		return fromList(declared), nil
	}
	return nil, nil
}

func fromList(lines []any) map[string]any {
	declared := map[string]any{}
	for _, line := range lines {
		name, value, found := strings.Cut(fmt.Sprint(line), "=")
		declared[name] = nil
		if found {
			declared[name] = value
		}
	}
	return declared
}

func (r *Resolver) interpolate(path string, declared map[string]any, name string) (string, error) {
	value, ok := declared[name]
	if !ok {
		return "", fmt.Errorf("the service declares no such variable: %w", ErrUnset)
	}
	beside, err := r.besides(path)
	if err != nil {
		return "", err
	}
	mapping := func(name string) (string, bool) {
		if value, ok := r.lookup(name); ok {
			return value, true
		}
		value, ok := beside[name]
		return value, ok
	}
	if value == nil { // VAR without a value is passed through
		passed, _ := mapping(name)
		return passed, nil
	}
	text, err := template.SubstituteWithOptions(fmt.Sprint(value), mapping, template.WithoutLogging)
	if err != nil {
		// The template's own message quotes the value.
		return "", errors.New("the value's ${…} cannot be filled in")
	}
	return text, nil
}

// besides reads the .env in the directory of a compose file; without one there
// are no values.
func (r *Resolver) besides(path string) (map[string]string, error) {
	path = filepath.Join(filepath.Dir(path), ".env")
	content, err := r.readFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.parseDotenv(path, content)
}
