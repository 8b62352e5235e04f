package compose

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// engine is shared by the tests of this package, which run one after the other:
// each has a project of its own.
var engine struct {
	*lab.Engine
	err error
}

func TestMain(m *testing.M) {
	if lab.Find("docker") == nil && lab.Find("root") == nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		engine.Engine, engine.err = lab.StartDocker(ctx)
		cancel()
	}
	code := m.Run()
	if engine.Engine != nil {
		if err := engine.Remove(); err != nil {
			println(err.Error())
			code = 1
		}
	}
	os.Exit(code)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stack writes the lab's project, changed by replacements, under the test's name.
func stack(t *testing.T, replace ...string) lab.Stack {
	t.Helper()
	lab.Need(t, "root", "docker")
	must(t, engine.err)
	s, err := engine.WriteStack(t.TempDir(), strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())))
	must(t, err)
	change(t, s, replace...)
	t.Cleanup(func() {
		if err := s.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// change replaces texts in the project's file, by pairs; each must be there.
func change(t *testing.T, s lab.Stack, replace ...string) {
	t.Helper()
	content, err := os.ReadFile(s.File)
	must(t, err)
	text := string(content)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("the stack has no %q", replace[i])
		}
		text = strings.Replace(text, replace[i], replace[i+1], 1)
	}
	must(t, os.WriteFile(s.File, []byte(text), 0o600))
}

func upped(t *testing.T, replace ...string) lab.Stack {
	t.Helper()
	s := stack(t, replace...)
	must(t, s.Up(t.Context(), "--wait"))
	return s
}

func declare(t *testing.T, s lab.Stack, edit ...func(*Config)) *Instance {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	cfg.Files, cfg.Host = []string{s.File}, s.Engine.Host
	for _, f := range edit {
		f(cfg)
	}
	must(t, cfg.Validate().Err())
	in, err := open(servicetest.Env(t), *cfg)
	must(t, err)
	t.Cleanup(func() { _ = in.Close() })
	return in
}

func expect(name string, want Expected) func(*Config) {
	return func(c *Config) {
		if c.Services == nil {
			c.Services = map[string]Expected{}
		}
		c.Services[name] = want
	}
}

func check(t *testing.T, in *Instance) service.Verdict {
	t.Helper()
	v, err := in.Check(t.Context())
	must(t, err)
	return v
}

// found is "severity slug subject" of each finding.
func found(v service.Verdict) []string {
	all := []string{}
	for _, f := range v.Findings {
		all = append(all, strings.TrimSpace(string(f.Severity)+" "+f.ID+" "+f.Subject))
	}
	return all
}

// finds checks until the wanted finding is there: states of containers take a
// moment. It fails with what was found instead.
func finds(t *testing.T, in *Instance, want string) service.Finding {
	t.Helper()
	var finding service.Finding
	eventually(t, func() (bool, any) {
		v := check(t, in)
		all := found(v)
		i := slices.Index(all, want)
		if i >= 0 {
			finding = v.Findings[i]
		}
		return i >= 0, all
	})
	return finding
}

// eventually repeats a question until its answer is yes; after a minute it fails
// with what was seen last.
func eventually(t *testing.T, ask func() (yes bool, seen any)) {
	t.Helper()
	var last any
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		yes, seen := ask()
		if yes {
			return
		}
		last = seen
	}
	t.Fatalf("still %q after a minute", last)
}

// original puts the project's file back as it was written.
func original(t *testing.T, s lab.Stack) {
	t.Helper()
	_, err := s.Engine.WriteStack(filepath.Dir(s.Dir), filepath.Base(s.Dir))
	must(t, err)
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := engine.Docker(context.WithoutCancel(t.Context()), args...)
	must(t, err)
	return out
}
