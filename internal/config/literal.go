package config

import (
	"fmt"
	"net/url"
	"reflect"
	"regexp"

	"upkeep/internal/secret"
)

// Literal is a place where a secret stands in the file itself.
type Literal struct {
	Path string // "services.db.password"
	Line int
}

// Literals finds secrets that are written into the file instead of referred to:
// literal references, and passwords inside URLs and connection strings.
func Literals(c *Config) []Literal {
	var found []Literal
	add := func(path string) { found = append(found, Literal{Path: path, Line: c.lineOf(path)}) }
	for _, s := range c.Services {
		literals(reflect.ValueOf(s.Config), "services."+s.Name, add)
	}
	literals(reflect.ValueOf(c.Repository), "repository", add)
	return found
}

// lineOf returns the line of the nearest ancestor of path that stands in the
// file.
func (c *Config) lineOf(path string) int {
	for path != "" && c.lines[path] == 0 {
		path = parentOf(path)
	}
	return c.lines[path]
}

func literals(value reflect.Value, path string, add func(path string)) {
	if ref, ok := asRef(value); ok {
		if ref.Scheme == secret.Literal {
			add(path)
		}
		return
	}
	switch value.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !value.IsNil() {
			literals(value.Elem(), path, add)
		}
	case reflect.Struct:
		literalFields(value, path, add)
	case reflect.Slice:
		for i := range value.Len() {
			literals(value.Index(i), item(path, i), add)
		}
	case reflect.Map:
		for iter := value.MapRange(); iter.Next(); {
			literals(iter.Value(), path+"."+fmt.Sprint(iter.Key()), add)
		}
	case reflect.String:
		if holdsPassword(value.String()) {
			add(path)
		}
	}
}

func literalFields(value reflect.Value, path string, add func(path string)) {
	if !value.CanAddr() { // fieldsOf reads fields of values of any origin
		copied := reflect.New(value.Type()).Elem()
		copied.Set(value)
		value = copied
	}
	fields := fieldsOf(value)
	for _, name := range fields.names {
		literals(fields.byName[name], path+"."+name, add)
	}
}

func asRef(value reflect.Value) (secret.Ref, bool) {
	if !value.IsValid() || value.Type() != reflect.TypeFor[secret.Ref]() {
		return secret.Ref{}, false
	}
	return value.Interface().(secret.Ref), true
}

// holdsPassword looks for scheme://user:password@host, ?password=… and the
// key-value form of PostgreSQL.
func holdsPassword(text string) bool {
	if regexp.MustCompile(`(?i)(^|[\s?&])(password|passwd|pwd)=[^\s&]`).MatchString(text) {
		return true
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil {
		return regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`).MatchString(text)
	}
	password, _ := u.User.Password()
	return password != ""
}
