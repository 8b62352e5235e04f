package docs_test

import (
	"encoding"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// key is one thing that may stand in the declaration of a kind.
type key struct{ path, form, standard, meaning string }

// keys lists the keys of a kind with the comments of its source. A comment is
// part of the documentation: it is written for whoever declares a service.
func keys(t *testing.T, kind service.Kind) []key {
	t.Helper()
	config := reflect.ValueOf(kind.NewConfig()).Elem()
	return fields("", config, comments(t, config.Type()))
}

func fields(path string, v reflect.Value, said map[string]string) []key {
	var all []key
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name := strings.Split(field.Tag.Get("yaml"), ",")[0]
		if name == "" || name == "-" {
			continue
		}
		k := key{path: path + name, meaning: said[v.Type().Name()+"."+field.Name]}
		value, form := v.Field(i), formOf(field.Type)
		if form != "" {
			k.form, k.standard = form, standard(value)
			all = append(all, k)
			continue
		}
		k.form = "mapping"
		inner := value
		switch field.Type.Kind() {
		case reflect.Slice:
			k.form, inner = "list of mappings", reflect.New(field.Type.Elem()).Elem()
			k.path += "[]"
		case reflect.Map:
			k.form, inner = "mapping of names to mappings", reflect.New(field.Type.Elem()).Elem()
			k.path += ".NAME"
		}
		if k.meaning != "" {
			all = append(all, k)
		}
		all = append(all, fields(k.path+".", inner, said)...)
	}
	return all
}

// formOf says how a value is written, or nothing for a struct with keys of its
// own.
func formOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[quantity.Duration]():
		return "duration"
	case reflect.TypeFor[quantity.Share]():
		return "share, such as 80%"
	case reflect.TypeFor[quantity.Bytes]():
		return "size"
	case reflect.TypeFor[secret.Ref]():
		return "secret reference"
	}
	if _, own := reflect.New(t).Interface().(interface {
		UnmarshalYAML(func(any) error) error
	}); own {
		return "text"
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return ""
	case reflect.Slice:
		if inner := formOf(t.Elem()); inner != "" {
			return "list of " + inner
		}
		return ""
	case reflect.Map:
		if inner := formOf(t.Elem()); inner != "" {
			return "mapping of names to " + inner
		}
		return ""
	case reflect.Interface:
		return "values"
	}
	return "number"
}

// standard is the default as it would be written, or nothing.
func standard(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if text, err := m.MarshalText(); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v.Interface())
}

// comments reads what stands beside the fields of a kind's structs, by
// "Type.Field".
func comments(t *testing.T, config reflect.Type) map[string]string {
	t.Helper()
	dir := filepath.Join("..", strings.TrimPrefix(config.PkgPath(), "upkeep/"))
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if fields, ok := spec.Type.(*ast.StructType); ok {
					remember(said, spec.Name.Name, fields)
				}
			}
			return true
		})
	}
	return said
}

func remember(said map[string]string, name string, fields *ast.StructType) {
	for _, field := range fields.Fields.List {
		text := strings.TrimSpace(field.Doc.Text() + " " + field.Comment.Text())
		for _, f := range field.Names {
			said[name+"."+f.Name] = strings.Join(strings.Fields(text), " ")
		}
	}
}
