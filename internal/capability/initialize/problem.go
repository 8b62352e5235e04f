package initialize

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"upkeep/internal/diag"
)

// withoutVersion blanks the obsolete top-level version: line, which the loader
// would warn about on the standard error.
func withoutVersion(content []byte) []byte {
	return regexp.MustCompile(`(?m)^["']?version["']?[ \t]*:[^\n{\[|>&]*$`).ReplaceAll(content, nil)
}

// maxNodes bounds what aliases may unfold a compose file to. A file of maxFile
// bytes without aliases has less.
const maxNodes = 1 << 20

// wellFormed reports a file that is no YAML, or one whose aliases unfold to more
// than anybody would write: the loader unfolds them all.
func (f composeFile) wellFormed() error {
	documents, err := documentsOf(f.content)
	var p diag.List
	if err != nil {
		p.Addf("", "is not well-formed YAML: %s", scannerWords(err.Error()))
		p[0].File = f.path
		p[0].Line, p[0].Column = position(err)
		return p
	}
	size := unfolding{sizes: map[*yaml.Node]int{}}
	for _, document := range documents {
		if size.of(document) > maxNodes {
			p.Addf("", "its aliases unfold to more than %d values", maxNodes)
			p[0].File = f.path
			return p
		}
	}
	return nil
}

// documentsOf parses without following aliases.
func documentsOf(content []byte) ([]*yaml.Node, error) {
	var all []*yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, &document)
	}
}

// unfolding counts values with every alias replaced by what it stands for.
type unfolding struct{ sizes map[*yaml.Node]int }

func (u unfolding) of(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if size, known := u.sizes[node]; known {
		return size
	}
	u.sizes[node] = maxNodes + 1 // what holds itself never ends
	size := 1
	for _, inner := range node.Content {
		size = min(size+u.of(inner), maxNodes+1)
	}
	u.sizes[node] = size
	return size
}

// problem says where compose files are wrong. The loader's own words may quote a
// value, and with it a secret: only keys are taken from them.
func (st *stack) problem(err error) diag.List {
	text := err.Error()
	path := regexp.MustCompile(`\b(?:services|volumes|networks|configs|secrets)\b(?:\.[\p{L}\d_.-]+)*`).FindString(text)
	path = strings.TrimRight(path, ".")
	p := diag.List{{Path: path, File: st.fileIn(text).path, Format: "compose does not understand this; docker compose config says why"}}
	for _, f := range slices.Backward(st.files) {
		if line, column := f.locate(path); line > 0 {
			p[0].File, p[0].Line, p[0].Column = f.path, line, column
			break
		}
	}
	return p
}

func (st *stack) fileIn(text string) composeFile {
	for _, f := range slices.Backward(st.files) {
		if strings.Contains(text, f.path) {
			return f
		}
	}
	return st.files[0]
}

// scannerWords keeps what a YAML parser says when it is one of its constant
// sentences; others quote the file.
func scannerWords(text string) string {
	for _, known := range []string{"mapping values are not allowed in this context", "could not find expected ':'",
		"did not find expected key", "did not find expected node content", "found character that cannot start any token",
		"found a tab character", "found unexpected end of stream", "control characters are not allowed",
		"invalid leading UTF-8 octet", "block sequence entries are not allowed in this context"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return "it cannot be parsed"
}

// position finds the place that a parser's message names: "at L3.C13" or "line 3".
func position(err error) (line, column int) {
	match := regexp.MustCompile(`\bat L(\d+)\.C(\d+)|\bline (\d+)`).FindStringSubmatch(err.Error())
	if match == nil {
		return 0, 0
	}
	number := func(digits string) int {
		n, err := strconv.Atoi(digits)
		if err != nil {
			return 1
		}
		return n
	}
	return number(match[1] + match[3]), number(match[2])
}

// locate finds the deepest key of a dotted path that stands in the file.
func (f composeFile) locate(path string) (line, column int) {
	documents, err := documentsOf(f.content)
	if err != nil || path == "" || len(documents) == 0 || len(documents[0].Content) == 0 {
		return 0, 0
	}
	node := documents[0].Content[0]
	for rest := path; rest != ""; {
		key, value := entryOf(node, rest)
		if key == nil {
			return line, column
		}
		line, column, node = key.Line, key.Column, value
		rest = strings.TrimPrefix(rest[len(key.Value):], ".")
	}
	return line, column
}

// entryOf finds the key with which a dotted path begins; a key may hold dots
// itself.
func entryOf(node *yaml.Node, path string) (key, value *yaml.Node) {
	if node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if key := node.Content[i]; key.Value != "" && (path == key.Value || strings.HasPrefix(path, key.Value+".")) {
			return key, node.Content[i+1]
		}
	}
	return nil, nil
}
