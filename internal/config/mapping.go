package config

import (
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// mapping returns the keys of a mapping in the order of the file, merged keys
// (<<: *name) last, and reports what is no mapping or names a key twice.
func (d *decoder) mapping(node ast.Node, path string, depth int) []entry {
	var found []entry
	d.collect(node, path, depth, &found, map[string]bool{})
	return found
}

func (d *decoder) collect(node ast.Node, path string, depth int, found *[]entry, seen map[string]bool) {
	if d.spent(path, depth) {
		return
	}
	pairs, ok := node.(ast.MapNode)
	if !ok {
		d.addf(path, "must be keys with values: {KEY: VALUE}")
		return
	}
	var merged []ast.Node
	own := map[string]bool{}
	for iter := pairs.MapRange(); iter.Next(); {
		if iter.Key().IsMergeKey() {
			merged = append(merged, iter.Value())
			continue
		}
		name := iter.Key().GetToken().Value
		e := entry{name: name, path: strings.TrimPrefix(path+"."+name, "."), node: iter.Value()}
		switch {
		case own[name]:
			d.twice(e, iter.Key())
		case !seen[name]: // else it was merged in, and the nearer value wins
			d.places[e.path] = iter.Key().GetToken().Position
			*found = append(*found, e)
		}
		own[name], seen[name] = true, true
	}
	for _, m := range merged {
		d.merge(m, path, depth, found, seen)
	}
}

// twice reports a key at its second place.
func (d *decoder) twice(e entry, key ast.Node) {
	first := d.places[e.path]
	d.places[e.path] = key.GetToken().Position
	d.addf(e.path, "stands twice; the first is in line %d", first.Line)
	d.places[e.path] = first
}

// merge adds the keys of <<: *name or <<: [*a, *b].
func (d *decoder) merge(node ast.Node, path string, depth int, found *[]entry, seen map[string]bool) {
	node = d.resolve(node)
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.collect(node, path, depth+1, found, seen)
		return
	}
	for _, item := range list.Values {
		d.collect(d.resolve(item), path, depth+1, found, seen)
	}
}

// fields are the settable fields of a struct under their YAML names.
type fields struct {
	byName map[string]reflect.Value
	names  []string
}

func fieldsOf(value reflect.Value) fields {
	all := fields{byName: map[string]reflect.Value{}}
	all.collect(value)
	return all
}

func (f *fields) collect(value reflect.Value) {
	for i := range value.NumField() {
		field := value.Type().Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-" || !field.IsExported():
		case options == "inline":
			f.collect(value.Field(i))
		default:
			if name == "" {
				name = strings.ToLower(field.Name)
			}
			f.byName[name] = value.Field(i)
			f.names = append(f.names, name)
		}
	}
}
