package initialize

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"
)

// follow finds the files that the compose files include or extend, and judges
// each before the loader reads it. One that is not there is left to the loader.
func (st *stack) follow() error {
	waiting := slices.Clone(st.files)
	for len(waiting) > 0 {
		f := waiting[0]
		waiting = waiting[1:]
		for _, path := range st.mentioned(f) {
			known := func(other composeFile) bool { return other.path == path }
			if slices.ContainsFunc(st.files, known) || slices.ContainsFunc(st.included, known) {
				continue
			}
			content, err := readSmall(path)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return unreadable(path, err)
			}
			next := composeFile{path: path, name: st.relative(path), content: content}
			if err := next.wellFormed(); err != nil {
				return err
			}
			st.included = append(st.included, next)
			waiting = append(waiting, next)
		}
	}
	return nil
}

// mentioned lists the paths under include: and extends:, from the directory of
// the file.
func (st *stack) mentioned(f composeFile) (paths []string) {
	documents, err := documentsOf(f.content)
	if err != nil {
		return nil // wellFormed has told
	}
	for _, document := range documents {
		for _, root := range document.Content {
			paths = append(paths, texts(valueOf(root, "include"), "path")...)
			if services := valueOf(root, "services"); services != nil && services.Kind == yaml.MappingNode {
				for i := 1; i < len(services.Content); i += 2 {
					paths = append(paths, texts(valueOf(valueOf(services.Content[i], "extends"), "file"), "")...)
				}
			}
		}
	}
	for i, path := range paths {
		if filled, err := st.env.substitute(path, st.env.lookup); err == nil {
			path = filled
		}
		paths[i] = within(filepath.Dir(f.path), path)
	}
	return paths
}

// texts returns a text, those of a list, or those under a key of its entries.
func texts(node *yaml.Node, key string) (all []string) {
	switch {
	case node == nil:
	case node.Kind == yaml.ScalarNode && node.Value != "":
		all = []string{node.Value}
	case node.Kind == yaml.SequenceNode:
		for _, inner := range node.Content {
			all = append(all, texts(inner, key)...)
		}
	case node.Kind == yaml.MappingNode && key != "":
		all = texts(valueOf(node, key), "")
	}
	return all
}

func valueOf(node *yaml.Node, key string) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}
