package compose

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// refused wants an error with these words and sentinel, and returns its arguments.
func refused(t *testing.T, err error, id string, sentinel error) service.Args {
	t.Helper()
	got, args := service.ErrorID(err)
	if got != id || !errors.Is(err, sentinel) {
		t.Fatalf("%v has the words of %s, want %s (%v)", err, got, id, sentinel)
	}
	return args
}

func TestNoEngineIsUnknown(t *testing.T) {
	in := declare(t, stack(t), func(c *Config) { c.Host = "unix:///nowhere/docker.sock" })
	v, err := in.Check(t.Context())
	args := refused(t, err, "compose.no-engine", service.ErrUnreachable)
	if args["host"] != "unix:///nowhere/docker.sock" || len(v.Findings) > 0 {
		t.Errorf("%v %v", args, v)
	}
	if needs := in.Probe(t.Context()); needs[0].Found != "" {
		t.Errorf("found %+v", needs)
	}
	in = declare(t, stack(t))
	if needs := in.Probe(t.Context()); !strings.HasPrefix(needs[0].Found, engine.Host+" 2") {
		t.Errorf("found %+v", needs)
	}
}

func TestAnEngineThatStopsAnsweringIsUnknown(t *testing.T) {
	in := declare(t, upped(t))
	must(t, engine.Pause())
	defer func() { must(t, engine.Resume()) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := in.Check(ctx)
	refused(t, err, "compose.engine-silent", service.ErrUnreachable)
}

// TestASocketOfOthersIsDenied asks as another user, in a process of its own.
func TestASocketOfOthersIsDenied(t *testing.T) {
	if host := os.Getenv("COMPOSE_TEST_HOST"); host != "" {
		cfg := Config{Files: []string{os.Getenv("COMPOSE_TEST_FILE")}, Host: host}
		in, err := open(servicetest.Env(t), cfg)
		must(t, err)
		_, err = in.Check(t.Context())
		refused(t, err, "compose.engine-denied", service.ErrDenied)
		return
	}
	s := stack(t)
	must(t, os.Chmod(engine.Dir, 0o711))
	dir, err := os.MkdirTemp("", "upkeep-denied-")
	must(t, err)
	defer func() { must(t, os.RemoveAll(dir)) }()
	content, err := os.ReadFile(s.File)
	must(t, errors.Join(err, os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "docker-compose.yml"), content, 0o644)))
	self, err := os.Open("/proc/self/exe") // its path is closed to others, the file is not
	must(t, err)
	defer func() { _ = self.Close() }()
	child := exec.CommandContext(t.Context(), "/proc/self/fd/3", "-test.run", "TestASocketOfOthersIsDenied", "-test.v")
	child.ExtraFiles, child.Dir = []*os.File{self}, "/"
	child.Env = []string{"PATH=/usr/bin:/bin", "COMPOSE_TEST_HOST=" + engine.Host, "COMPOSE_TEST_FILE=" + filepath.Join(dir, "docker-compose.yml")}
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestASocketOfOthersIsDenied") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFilesWithErrorsSayWhere(t *testing.T) {
	for _, tc := range []struct {
		name, file, id, detail string
		line                   int
	}{
		{"no YAML", "services:\n  db: [\n", "compose.file-not-yaml", "", 3},
		{"unknown key", "services:\n  db:\n    image: a\n    imagine: b\n", "compose.file-invalid", "services.db.imagine", 4},
		{"wrong type", "services:\n  db:\n    image: a\n    ports: hush\n", "compose.file-invalid", "services.db.ports", 4},
		{"no such dependency", "services:\n  web:\n    image: a\n    depends_on: [db]\n", "compose.file-invalid", "services.web", 2},
		{"no such volume", "services:\n  web:\n    image: a\n    volumes: [\"data:/data\"]\n", "compose.file-invalid", "services.web", 2},
		{"required", "services:\n  web:\n    image: ${IMAGE:?}\n", "compose.variable-required", "IMAGE", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "docker-compose.yml")
			must(t, os.WriteFile(path, []byte(tc.file), 0o600))
			_, err := loaded(t, dir)
			args := refused(t, err, tc.id, service.ErrUndeclared)
			if args["file"] != path || args["line"] != tc.line || args["detail"] != tc.detail {
				t.Errorf("%v: %v", args, err)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("%v quotes a value", err)
			}
		})
	}
}

func loaded(t *testing.T, dir string, edit ...func(*Config)) (*project, error) {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	cfg.Files = []string{"docker-compose.yml"}
	for _, f := range edit {
		f(cfg)
	}
	env := servicetest.Env(t)
	env.Base = dir
	in, err := open(env, *cfg)
	must(t, err)
	t.Cleanup(func() { _ = in.Close() })
	return in.load(t.Context())
}

func TestFilesThatAreNotThere(t *testing.T) {
	_, err := loaded(t, t.TempDir())
	refused(t, err, "compose.file-unreadable", service.ErrUndeclared)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte("services: {a: {image: b}}\n"), 0o600))
	_, err = loaded(t, dir, func(c *Config) { c.EnvFile = "prod.env" })
	refused(t, err, "compose.file-unreadable", service.ErrUndeclared)
	must(t, os.WriteFile(filepath.Join(dir, ".env"), []byte("A=1\nhush 'x\n"), 0o600))
	_, err = loaded(t, dir)
	args := refused(t, err, "compose.file-unreadable", service.ErrUndeclared)
	if strings.Contains(err.Error(), "hush") || strings.Contains(args["detail"].(string), "hush") {
		t.Errorf("%v %v quotes a value", err, args)
	}
}

// TestTheProjectIsNamedAsComposeNamesIt goes through the precedence.
func TestTheProjectIsNamedAsComposeNamesIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My.Stack")
	must(t, os.MkdirAll(dir, 0o755))
	file := filepath.Join(dir, "docker-compose.yml")
	named := func(want string, edit ...func(*Config)) {
		t.Helper()
		p, err := loaded(t, dir, edit...)
		must(t, err)
		if p.Name != want {
			t.Errorf("named %s, want %s", p.Name, want)
		}
	}
	must(t, os.WriteFile(file, []byte("version: '3.8'\nservices: {a: {image: b}}\n"), 0o600))
	named("mystack")
	must(t, os.WriteFile(file, []byte("name: inside\nservices: {a: {image: b}}\n"), 0o600))
	named("inside")
	must(t, os.WriteFile(filepath.Join(dir, ".env"), []byte("COMPOSE_PROJECT_NAME=fromenv\n"), 0o600))
	named("fromenv")
	named("declared", func(c *Config) { c.Project = "declared" })
}
