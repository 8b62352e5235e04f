package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"upkeep/internal/diag"
)

// deepest bounds how far values may nest, aliases followed: an alias may hold
// itself.
const deepest = 50

// mostValues bounds how many values a declaration may have, aliases followed:
// a few aliases of aliases would otherwise grow without end.
const mostValues = 100_000

// decoder fills Go values from YAML nodes. Unlike the library's own decoder it
// goes on after a problem, and remembers where everything stands.
type decoder struct {
	problems diag.List
	places   map[string]*token.Position // of keys and list items, by path
	anchors  map[string]ast.Node

	values    int
	exhausted bool
}

func newDecoder() *decoder {
	return &decoder{places: map[string]*token.Position{"": {Line: 1, Column: 1}}, anchors: map[string]ast.Node{}}
}

// entry is one key of a mapping whose value is decoded later.
type entry struct {
	name string
	path string
	node ast.Node
}

// entries is a mapping in the order of the file.
type entries []entry

// addf reports a problem of the key at path: there, or at its nearest ancestor
// that stands in the file.
func (d *decoder) addf(path, format string, args ...any) {
	d.problems.Addf(path, format, args...)
	d.locate(&d.problems[len(d.problems)-1])
}

func (d *decoder) locate(p *diag.Problem) {
	path := p.Path
	for d.places[path] == nil { // that of "" is always there
		path = parentOf(path)
	}
	at := d.places[path]
	p.Line, p.Column = at.Line, at.Column
}

// parentOf is the path one level up: of "a.b[2]" first "a.b", then "a", then "".
func parentOf(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// add reports problems that somebody else found, unless there is one already at
// or below the same path: what could not be read cannot be judged either.
func (d *decoder) add(found diag.List) {
	known := d.problems
	for _, p := range found {
		if !touches(known, p.Path) {
			d.locate(&p)
			d.problems = append(d.problems, p)
		}
	}
}

func touches(known diag.List, path string) bool {
	for _, k := range known {
		if k.Path == path || strings.HasPrefix(k.Path, path+".") || strings.HasPrefix(k.Path, path+"[") {
			return true
		}
	}
	return false
}

func (d *decoder) lines() map[string]int {
	lines := make(map[string]int, len(d.places))
	for path, at := range d.places {
		lines[path] = at.Line
	}
	return lines
}

// parse returns the one document of the file, or nil after a problem.
func (d *decoder) parse(content []byte) (root ast.Node) {
	defer func() {
		// The parser is somebody else's and meets whatever a person typed.
		if r := recover(); r != nil {
			d.addf("", "is not well-formed YAML: %s", fmt.Sprint(r))
			root = nil
		}
	}()
	file, err := parser.ParseBytes(content, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.malformed(err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	if len(bodies) != 1 {
		d.addf("", "must be one YAML document, has %d", len(bodies))
		return nil
	}
	found := names{anchors: d.anchors}
	ast.Walk(&found, bodies[0])
	for _, alias := range found.aliases {
		if name := alias.Value.GetToken(); d.anchors[name.Value] == nil {
			path := strings.TrimPrefix(alias.GetPath(), "$.")
			d.places[path] = name.Position
			d.addf(path, "nothing above is named &%s", name.Value)
		}
	}
	return bodies[0]
}

// names collects anchors and where they are referred to.
type names struct {
	anchors map[string]ast.Node
	aliases []*ast.AliasNode
}

func (n *names) Visit(node ast.Node) ast.Visitor {
	switch node := node.(type) {
	case *ast.AnchorNode:
		n.anchors[node.Name.GetToken().Value] = node.Value
	case *ast.AliasNode:
		n.aliases = append(n.aliases, node)
	}
	return n
}

// resolve looks through anchors, aliases and tags. Nil stands for null.
func (d *decoder) resolve(node ast.Node) ast.Node {
	for range deepest {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			node = d.anchors[n.Value.GetToken().Value]
		case *ast.TagNode:
			node = n.Value
		case *ast.NullNode, nil:
			return nil
		default:
			return node
		}
	}
	return nil
}

// spent reports, once, that the declaration is larger than any that a person
// wrote. Decoding then ends without more problems.
func (d *decoder) spent(path string, depth int) bool {
	d.values++
	if !d.exhausted && (depth > deepest || d.values > mostValues) {
		d.exhausted = true
		outermost := strings.SplitN(path, ".", 4)
		d.addf(strings.Join(outermost[:min(len(outermost), 3)], "."), "nests too deep or refers to itself")
	}
	return d.exhausted
}

// decode fills into, which is settable, from a node.
func (d *decoder) decode(node ast.Node, into reflect.Value, path string, depth int) {
	if d.spent(path, depth) {
		return
	}
	node = d.resolve(node)
	switch {
	case node == nil && !holdsOthers(into.Type()):
		d.addf(path, "has no value")
	case node == nil: // all below it is commented out
	case d.custom(node, into, path):
	case into.Type() == reflect.TypeFor[entries]():
		into.Set(reflect.ValueOf(entries(d.mapping(node, path, depth))))
	default:
		d.decodeKind(node, into, path, depth)
	}
}

func holdsOthers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		return !isCustom(t)
	}
	return false
}

func (d *decoder) decodeKind(node ast.Node, into reflect.Value, path string, depth int) {
	switch into.Kind() {
	case reflect.Pointer:
		value := reflect.New(into.Type().Elem())
		setDefaults(value)
		d.decode(node, value.Elem(), path, depth+1)
		into.Set(value)
	case reflect.Struct:
		d.decodeStruct(node, into, path, depth)
	case reflect.Map:
		d.decodeMap(node, into, path, depth)
	case reflect.Slice:
		d.decodeSlice(node, into, path, depth)
	case reflect.Interface:
		if value := d.plain(node, path, depth); value != nil {
			into.Set(reflect.ValueOf(value))
		}
	default:
		d.decodeScalar(node, into, path)
	}
}

// setDefaults calls Defaults on a new value that has some.
func setDefaults(pointer reflect.Value) {
	if value, ok := pointer.Interface().(interface{ Defaults() }); ok {
		value.Defaults()
	}
}

func (d *decoder) decodeStruct(node ast.Node, into reflect.Value, path string, depth int) {
	fields := fieldsOf(into)
	for _, e := range d.mapping(node, path, depth) {
		field, ok := fields.byName[e.name]
		if !ok {
			d.unknownKey(e, fields.names)
			continue
		}
		d.decode(e.node, field, e.path, depth+1)
	}
}

func (d *decoder) decodeMap(node ast.Node, into reflect.Value, path string, depth int) {
	made := reflect.MakeMap(into.Type())
	for _, e := range d.mapping(node, path, depth) {
		value := reflect.New(into.Type().Elem())
		setDefaults(value)
		d.decode(e.node, value.Elem(), e.path, depth+1)
		made.SetMapIndex(reflect.ValueOf(e.name).Convert(into.Type().Key()), value.Elem())
	}
	into.Set(made)
}

func (d *decoder) decodeSlice(node ast.Node, into reflect.Value, path string, depth int) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		d.addf(path, "must be a list: [A, B]")
		return
	}
	made := reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values))
	for i, item := range list.Values {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.places[at] = item.GetToken().Position
		setDefaults(made.Index(i).Addr())
		d.decode(item, made.Index(i), at, depth+1)
	}
	into.Set(made)
}
