package initialize

import (
	"bytes"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"upkeep/internal/service"
)

// nameRepository writes repository: as the command line had it. What stood there
// stays as a comment; everything else keeps its form to the byte.
func (s *survey) nameRepository(name string, written []byte, place Place) ([]byte, error) {
	block := &page{say: func(m service.Message) string { return s.opt.Words.Message(m.ID, m.Args) }}
	first, last, form := repositoryLines(written)
	if form == unclear {
		s.note("repository-by-hand", service.Args{"file": name, "path": place.Path, "password": place.Password})
		return written, nil
	}
	lines := slices.Collect(bytes.Lines(written))
	var old [][]byte
	if form == absent {
		first, last = len(lines), len(lines)
		block.WriteByte('\n')
		block.comment(0, message("block-added", nil))
		s.note("repository-added", nil)
	} else {
		old = lines[first:last]
		block.comment(0, message("block-replaced", nil))
		s.note("repository-replaced", nil)
	}
	for _, line := range old {
		block.WriteString("# " + strings.TrimRight(string(line), "\r\n") + "\n")
	}
	err := block.block(0, yaml.MapSlice{{Key: "repository", Value: yaml.MapSlice{
		{Key: "path", Value: s.relative(place.Path)}, {Key: "password", Value: s.referenceFromHere(place.Password)}}}})
	if err != nil {
		return nil, err
	}
	before := bytes.Join(lines[:first], nil)
	if len(before) > 0 && !bytes.HasSuffix(before, []byte("\n")) {
		before = append(before, '\n')
	}
	return slices.Concat(before, block.Bytes(), bytes.Join(lines[last:], nil)), nil
}

// form is how repository: stands in a declaration.
type form int

const (
	unclear form = iota // in one line with other keys, or not readable
	absent
	present
)

// repositoryLines finds the lines of repository:, first included, last not, from
// 0. Comments and empty lines in front of the next key belong to that.
func repositoryLines(written []byte) (first, last int, f form) {
	file, err := parser.ParseBytes(written, 0)
	if err != nil || len(file.Docs) != 1 {
		return 0, 0, unclear
	}
	keys, ok := rootKeys(file.Docs[0].Body)
	if !ok {
		return 0, 0, unclear
	}
	lines := slices.Collect(bytes.Lines(written))
	for i, key := range keys {
		if key.name != "repository" {
			continue
		}
		first, last = key.line-1, len(lines)
		if i+1 < len(keys) {
			last = keys[i+1].line - 1
		}
		for last > first+1 && emptyOrComment(lines[last-1]) {
			last--
		}
		return first, last, present
	}
	return 0, 0, absent
}

// rootKey is a key of the declaration itself and its line, from 1.
type rootKey struct {
	name string
	line int
}

// rootKeys returns the keys in the order of the file; not ok where they do not
// stand one below the other.
func rootKeys(body ast.Node) (keys []rootKey, ok bool) {
	var entries []*ast.MappingValueNode
	switch n := body.(type) {
	case *ast.MappingNode:
		if n.IsFlowStyle {
			return nil, false
		}
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	for _, e := range entries {
		token := e.Key.GetToken()
		if token.Position.Column != 1 {
			return nil, false
		}
		keys = append(keys, rootKey{token.Value, token.Position.Line})
	}
	return keys, true
}

func emptyOrComment(line []byte) bool {
	text := bytes.TrimSpace(line)
	return len(text) == 0 || text[0] == '#'
}
