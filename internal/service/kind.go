package service

import (
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"

	"upkeep/internal/diag"
)

// Kind is a sort of service that can be declared under services:. Its methods
// are what surfaces and the loader need; its capabilities are those of the type
// behind it.
type Kind struct {
	name      string
	instance  reflect.Type
	newConfig func() any
	open      func(Env, any) (Instance, error)
	text      []byte
	example   []byte

	monitoring fs.FS
}

// Define describes a kind. C is its configuration: a struct with yaml tags and,
// on the pointer, Defaults() and Validate() diag.List where it needs them. T's
// methods are its capabilities. text is the kind's catalogue (package catalogue
// says how it is laid out), example a declaration that works, as it would stand
// under services: with one line of purpose above it.
func Define[C any, T Instance](name string, open func(Env, C) (T, error), text, example []byte) Kind {
	return Kind{
		name:      name,
		instance:  reflect.TypeFor[T](),
		newConfig: func() any { return new(C) },
		open: func(env Env, config any) (Instance, error) {
			return open(env, *config.(*C))
		},
		text:    text,
		example: example,
	}
}

// Name is what stands after kind: in a declaration.
func (k Kind) Name() string { return k.name }

// NewConfig returns a pointer to a configuration with its defaults set.
func (k Kind) NewConfig() any {
	config := k.newConfig()
	if d, ok := config.(interface{ Defaults() }); ok {
		d.Defaults()
	}
	return config
}

// Validate returns the problems of a configuration made by NewConfig, by path.
func (k Kind) Validate(config any) diag.List {
	if v, ok := config.(interface{ Validate() diag.List }); ok {
		return v.Validate()
	}
	return nil
}

// Open makes an instance from a configuration made by NewConfig. It never
// connects.
func (k Kind) Open(env Env, config any) (Instance, error) {
	in, err := k.open(env, config)
	if err != nil {
		return nil, fmt.Errorf("open %s as %s: %w", env.Target, k.name, err)
	}
	return in, nil
}

// Text is the kind's catalogue, Example its declaration.
func (k Kind) Text() []byte    { return k.text }
func (k Kind) Example() []byte { return k.example }

// Capability is a name for one optional interface.
type Capability struct {
	Name string
	kind reflect.Type
}

// Capabilities lists every capability there is, in the order of the product's
// table.
func Capabilities() []Capability {
	return []Capability{
		{"check", reflect.TypeFor[Checker]()},
		{"diagnose", reflect.TypeFor[Diagnoser]()},
		{"collect", reflect.TypeFor[Collector]()},
		{"backup", reflect.TypeFor[Source]()},
		{"restore", reflect.TypeFor[Restorer]()},
		{"drill", reflect.TypeFor[Driller]()},
		{"verify", reflect.TypeFor[Verifier]()},
		{"extract", reflect.TypeFor[Extractor]()},
		{"query", reflect.TypeFor[Queryer]()},
		{"summarize", reflect.TypeFor[Summarizer]()},
		{"maintain", reflect.TypeFor[Maintainer]()},
		{"curate", reflect.TypeFor[Curator]()},
		{"tune", reflect.TypeFor[Advisor]()},
		{"logs", reflect.TypeFor[LogSource]()},
		{"list", reflect.TypeFor[Lister]()},
		{"switch", reflect.TypeFor[Switcher]()},
		{"halt", reflect.TypeFor[Halter]()},
		{"recover", reflect.TypeFor[Recoverer]()},
	}
}

// Can reports whether instances of the kind offer the capability.
func (k Kind) Can(c Capability) bool { return k.instance.Implements(c.kind) }

// Offers reports whether instances of the kind offer the capability of that name.
func (k Kind) Offers(capability string) bool {
	return slices.ContainsFunc(Capabilities(), func(c Capability) bool { return c.Name == capability && k.Can(c) })
}

// Registry is what ships: kinds by name.
type Registry struct{ kinds map[string]Kind }

// NewRegistry makes a registry. Two kinds of one name are a mistake of the
// program and panic.
func NewRegistry(kinds ...Kind) *Registry {
	r := &Registry{kinds: map[string]Kind{}}
	for _, k := range kinds {
		if _, twice := r.kinds[k.name]; twice {
			panic("service kind defined twice: " + k.name)
		}
		r.kinds[k.name] = k
	}
	return r
}

// Lookup returns the kind of that name.
func (r *Registry) Lookup(name string) (Kind, bool) {
	k, ok := r.kinds[name]
	return k, ok
}

// Kinds returns all kinds by name.
func (r *Registry) Kinds() []Kind {
	return slices.SortedFunc(maps.Values(r.kinds), func(a, b Kind) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}
