package initialize

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// found is a password that a compose file gives a service. The value itself is
// only compared and never kept.
type found struct {
	reference string // empty: nothing can refer to it
	variable  string // in .env; set where it has no value there yet
}

// password declares a reference to the password; nil means that there is none.
func (s *survey) password(t *target, f *found) {
	if f == nil {
		t.about = append(t.about, message("no-password", nil))
		return
	}
	s.reference(t, "password", "secrets/"+t.name, f)
}

// secret declares a reference to one of several secrets that a target needs.
func (s *survey) secret(t *target, key string, f *found) {
	if f == nil {
		f = &found{}
	}
	s.reference(t, key, "secrets/"+t.name+"-"+strings.ReplaceAll(key, "_", "-"), f)
}

// reference declares a secret under a key. Where no reference leads to it, a file is
// named that somebody has to make.
func (s *survey) reference(t *target, key, file string, f *found) {
	reference := f.reference
	switch {
	case reference == "":
		reference = "file:" + file
		args := service.Args{"target": t.name, "file": file}
		t.about = append(t.about, message("password-file", args))
		s.note("password-file", args)
	case f.variable != "":
		args := service.Args{"target": t.name, "name": f.variable}
		t.about = append(t.about, message("password-unset", args))
		s.note("password-unset", args)
	}
	t.keys = append(t.keys, yaml.MapItem{Key: key, Value: reference})
}

// variables are what a container gets: its environment over its env_file.
func (st *stack) variables(svc types.ServiceConfig) map[string]string {
	values := map[string]string{}
	for _, f := range svc.EnvFiles {
		read, err := st.env.readDotenv(f.Path)
		if err != nil {
			continue // noted by envFiles
		}
		for name, value := range read {
			values[name] = value
		}
	}
	for name, value := range svc.Environment {
		if value != nil {
			values[name] = *value
		} else if passed, ok := st.env.lookup(name); ok {
			values[name] = passed
		}
	}
	return values
}

func (st *stack) has(svc types.ServiceConfig, names ...string) bool {
	values := st.variables(svc)
	return slices.ContainsFunc(names, func(name string) bool {
		_, given := svc.Environment[name]
		return given || values[name] != ""
	})
}

// envFiles notes the env_file of a service that cannot be read.
func (s *survey) envFiles(st *stack, svc types.ServiceConfig) {
	for _, f := range svc.EnvFiles {
		_, err := st.env.readDotenv(f.Path)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || bool(f.Required)) {
			s.note("env-file", service.Args{"service": svc.Name, "file": s.relative(f.Path)})
		}
	}
}

// variableSecret finds a reference to the first of those variables that a
// service has, or to the file of NAME_FILE; nil where there is none.
func (st *stack) variableSecret(ctx context.Context, svc types.ServiceConfig, names ...string) *found {
	values := st.variables(svc)
	for _, name := range names {
		if file := values[name+"_FILE"]; file != "" {
			return &found{reference: st.secretFile(svc, file)}
		}
		if !st.has(svc, name) {
			continue
		}
		written := oneVariable(st.rawVariable(svc.Name, name))
		if raw, given := svc.Environment[name]; given && raw == nil {
			written = name // passed through under its own name
		}
		candidates := st.ofVariable(written)
		for _, f := range slices.Backward(slices.Concat(st.included, st.files)) {
			candidates = append(candidates, "compose:"+f.name+"#"+svc.Name+"."+name)
		}
		for _, f := range slices.Backward(svc.EnvFiles) {
			candidates = append(candidates, "dotenv:"+st.relative(f.Path)+"#"+name)
		}
		return st.choose(ctx, values[name], written, candidates)
	}
	return nil
}

// commandSecret finds a reference to what follows a flag in a service's command;
// nil where the flag is not there.
func (st *stack) commandSecret(ctx context.Context, svc types.ServiceConfig, flag string) *found {
	value, ok := following(strings.Join(append(slices.Clone(svc.Entrypoint), svc.Command...), " "), flag)
	if !ok {
		return nil
	}
	if name := oneVariable(value); name != "" { // of the container's own shell
		return st.variableSecret(ctx, svc, name)
	}
	written := ""
	for _, key := range []string{"command", "entrypoint"} {
		if raw, ok := following(words(st.rawOf(svc.Name, key)), flag); ok {
			written = oneVariable(raw)
			break
		}
	}
	if written != "" {
		value, _ = st.env.lookup(written) // an empty one leaves no word behind
	}
	return st.choose(ctx, value, written, st.ofVariable(written))
}

// ofVariable are the references to a variable of the compose project itself.
func (st *stack) ofVariable(name string) []string {
	if name == "" {
		return nil
	}
	var candidates []string
	if _, ok := st.env.dotenv[name]; ok {
		candidates = append(candidates, "dotenv:"+st.relative(filepath.Join(st.env.dir, ".env"))+"#"+name)
	}
	return append(candidates, "env:"+name)
}

// choose returns the first candidate that leads to the value. Without a value the
// reference points at where it belongs; an empty one that was meant is none.
func (st *stack) choose(ctx context.Context, value, variable string, candidates []string) *found {
	if value == "" && variable == "" {
		return nil
	}
	if value == "" {
		return &found{reference: "dotenv:" + st.relative(filepath.Join(st.env.dir, ".env")) + "#" + variable, variable: variable}
	}
	r := secret.Resolver{Base: st.env.dir, Getenv: st.env.getenv}
	for _, c := range candidates {
		// A candidate that cannot be resolved is none: that is all the error says.
		got, err := r.Resolve(ctx, secret.Parse(c))
		if err == nil && got == value {
			return &found{reference: c}
		}
	}
	return &found{}
}

// secretFile finds the file on this machine behind /run/secrets/NAME.
func (st *stack) secretFile(svc types.ServiceConfig, inContainer string) string {
	for _, used := range svc.Secrets {
		name := firstNonEmpty(used.Target, used.Source)
		if file := st.project.Secrets[used.Source].File; file != "" && filepath.Base(inContainer) == filepath.Base(name) {
			return "file:" + st.relative(within(st.dir, file))
		}
	}
	return ""
}

// relative names a path as seen from the declaration, which lies beside .env.
func (st *stack) relative(path string) string {
	return (&survey{opt: Options{Dir: st.env.dir}}).relative(path)
}

// following returns the word behind a flag, without quotes.
func following(command, flag string) (string, bool) {
	fields := strings.Fields(command)
	i := slices.Index(fields, flag)
	if i < 0 {
		return "", false
	}
	if i+1 == len(fields) {
		return "", true
	}
	return strings.Trim(fields[i+1], `"'`), true
}

// words joins a command that is written as a list or as one text.
func words(raw any) string {
	switch command := raw.(type) {
	case string:
		return command
	case []any:
		var all []string
		for _, word := range command {
			text, _ := word.(string)
			all = append(all, text)
		}
		return strings.Join(all, " ")
	}
	return ""
}
