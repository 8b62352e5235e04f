package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"upkeep/internal/service"
)

// badFiles is the error for files that declare nothing we can read. It wraps
// ErrUndeclared, which gives the exit code of a wrong configuration.
func badFiles(id, file string, line int, detail string) error {
	return &service.Fault{
		ID:   "compose." + id,
		Args: service.Args{"file": file, "line": line, "detail": detail},
		Err:  fmt.Errorf("read compose file %s: %w", file, service.ErrUndeclared),
	}
}

func unreadable(path string, err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		return badFiles("file-unreadable", path, 0, reason.Err.Error())
	}
	return badFiles("file-unreadable", path, 0, err.Error())
}

// errNotEnvironment keeps what the operating system says. A parser's words would
// quote the line, and with it maybe a secret.
func errNotEnvironment(err error) error {
	var reason *fs.PathError
	if errors.As(err, &reason) {
		return reason
	}
	if line := lineIn(err); line > 0 {
		return fmt.Errorf("line %d is not NAME=value", line)
	}
	return errors.New("it is not made of NAME=value lines")
}

func wellFormed(file types.ConfigFile) error {
	var document yaml.Node
	if err := yaml.Unmarshal(file.Content, &document); err != nil {
		return badFiles("file-not-yaml", file.Filename, lineIn(err), "")
	}
	return nil
}

// invalid says where the files are wrong. The loader's own words may quote a
// value, and with it a secret: only keys and names are taken from them.
func invalid(files []types.ConfigFile, err error) error {
	var missing *template.MissingRequiredError
	if errors.As(err, &missing) {
		return badFiles("variable-required", files[0].Filename, 0, missing.Variable)
	}
	path := regexp.MustCompile(`\b(?:services|volumes|networks|configs|secrets)\b(?:\.[\p{L}\d_-]+)*`).FindString(err.Error())
	if path == "" {
		path = undefinedService(err)
	}
	for _, file := range slices.Backward(files) {
		if line := lineOf(file.Content, path); line > 0 {
			return badFiles("file-invalid", file.Filename, line, path)
		}
	}
	return badFiles("file-invalid", files[0].Filename, 0, path)
}

// undefinedService is the path of a service about which the loader complains by
// its bare name: service "web" depends on undefined service "db".
func undefinedService(err error) string {
	match := regexp.MustCompile(`service "([\p{L}\d_.-]+)"`).FindStringSubmatch(err.Error())
	if match == nil {
		return ""
	}
	return "services." + match[1]
}

// lineIn finds the place that a parser's message names: "at L3.C13" or "line 3".
func lineIn(err error) int {
	match := regexp.MustCompile(`\bat L(\d+)\.|\bline (\d+)`).FindStringSubmatch(err.Error())
	if match == nil {
		return 0
	}
	line, err := strconv.Atoi(match[1] + match[2])
	if err != nil {
		return 0
	}
	return line
}

// lineOf is where the deepest key of a dotted path stands, 0 when no part does.
func lineOf(content []byte, path string) (line int) {
	var document yaml.Node
	if yaml.Unmarshal(content, &document) != nil || len(document.Content) == 0 || path == "" {
		return 0
	}
	node := document.Content[0]
	for name := range strings.SplitSeq(path, ".") {
		if node.Kind != yaml.MappingNode {
			return line
		}
		i := 0
		for i+1 < len(node.Content) && node.Content[i].Value != name {
			i += 2
		}
		if i+1 >= len(node.Content) {
			return line
		}
		line, node = node.Content[i].Line, node.Content[i+1]
	}
	return line
}
