package config

import (
	"encoding"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"upkeep/internal/quantity"
)

// unmarshaler is a type that reads its own form.
type unmarshaler interface{ UnmarshalYAML(func(any) error) error }

func isCustom(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
		t == reflect.TypeFor[time.Duration]()
}

// custom decodes a type that reads its own form, and reports whether into is
// one.
func (d *decoder) custom(node ast.Node, into reflect.Value, path string) bool {
	if !isCustom(into.Type()) {
		return false
	}
	var err error
	switch value := into.Addr().Interface().(type) {
	case *time.Duration:
		var span quantity.Duration
		err = span.UnmarshalYAML(decodeNode(node))
		*value = span.Std()
	case unmarshaler:
		err = value.UnmarshalYAML(decodeNode(node))
	case encoding.TextUnmarshaler:
		var text string
		if err = decodeNode(node)(&text); err == nil {
			err = value.UnmarshalText([]byte(text))
		}
	}
	if err != nil {
		d.addError(path, err)
	}
	return true
}

func decodeNode(node ast.Node) func(any) error {
	return func(into any) error {
		return yaml.NodeToValue(node, into, yaml.DisallowUnknownField())
	}
}

// addError reports why a value could not be read, in translatable form where
// the error has one.
func (d *decoder) addError(path string, err error) {
	var translatable interface{ Problem() (string, []any) }
	var foreign yaml.Error
	switch {
	case errors.As(err, &translatable):
		format, args := translatable.Problem()
		d.addf(path, format, args...)
	case errors.As(err, &foreign):
		d.addf(path, "cannot be read: %s", foreign.GetMessage())
	default:
		d.addf(path, strings.ReplaceAll(err.Error(), "%", "%%"))
	}
}

// malformed reports a mistake of YAML itself, where the parser met it.
func (d *decoder) malformed(err error) {
	message, line, column := err.Error(), 1, 1
	var placed yaml.Error
	if errors.As(err, &placed) {
		message = placed.GetMessage()
		if t := placed.GetToken(); t != nil && t.Position != nil {
			line, column = t.Position.Line, t.Position.Column
		}
	}
	message, _, _ = strings.Cut(message, ": ") // what follows quotes the file, perhaps a secret
	d.problems.Addf("", "is not well-formed YAML: %s", message)
	p := &d.problems[len(d.problems)-1]
	p.Line, p.Column = line, column
}

// text returns a scalar as it is written; 5432 and true are text where text is
// wanted.
func text(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) decodeScalar(node ast.Node, into reflect.Value, path string) {
	written, ok := text(node)
	if !ok {
		d.addf(path, "must be one value, not a list and not keys")
		return
	}
	switch kind := into.Kind(); kind {
	case reflect.String:
		into.SetString(written)
	case reflect.Bool:
		value, ok := node.(*ast.BoolNode)
		if !ok {
			d.addf(path, "must be true or false, is %q", written)
			return
		}
		into.SetBool(value.Value)
	case reflect.Float32, reflect.Float64:
		value, err := strconv.ParseFloat(written, 64)
		if err != nil {
			d.addf(path, "must be a number, is %q", written)
			return
		}
		into.SetFloat(value)
	default:
		d.decodeInteger(written, into, path)
	}
}

func (d *decoder) decodeInteger(written string, into reflect.Value, path string) {
	value, err := strconv.ParseInt(strings.ReplaceAll(written, "_", ""), 0, 64)
	switch {
	case err == nil && into.CanInt() && !into.OverflowInt(value):
		into.SetInt(value)
	case err == nil && into.CanUint() && value >= 0 && !into.OverflowUint(uint64(value)):
		into.SetUint(uint64(value))
	case err == nil:
		d.addf(path, "is out of range: %s", written)
	default:
		d.addf(path, "must be a whole number, is %q", written)
	}
}

// plain returns a node as the value that Go's own types give it.
func (d *decoder) plain(node ast.Node, path string, depth int) any {
	switch n := node.(type) {
	case ast.MapNode:
		var value map[string]any
		d.decodeMap(node, reflect.ValueOf(&value).Elem(), path, depth)
		return value
	case *ast.SequenceNode:
		var value []any
		d.decodeSlice(node, reflect.ValueOf(&value).Elem(), path, depth)
		return value
	case ast.ScalarNode:
		return n.GetValue()
	}
	d.addf(path, "must be one value, not a list and not keys")
	return nil
}
