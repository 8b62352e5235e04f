package initialize_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"upkeep/internal/capability/initialize"
	"upkeep/internal/config"
	"upkeep/internal/diag"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
	"upkeep/internal/service/files"
	"upkeep/lab"
)

func survey(t *testing.T, dir string) (initialize.Draft, error) {
	t.Helper()
	return initialize.Survey(t.Context(), world{lang: "en"}.options(t, dir))
}

func TestMistakesInComposeFilesAreShownWhereTheyStand(t *testing.T) {
	cases := []struct{ name, file, content, want string }{
		{"syntax", "compose.yaml", "services:\n  db:\n    image: a: b\n", "compose.yaml:3:"},
		{"open quote", "compose.yaml", "services:\n  db: {image: \"hunter2\n", "compose.yaml:2:15: is not well-formed YAML: found unexpected end of stream"},
		{"tab", "compose.yaml", "services:\n\tdb: x\n", "compose.yaml:2:"},
		{"services as a list", "compose.yaml", "name: a\nservices: [hunter2]\n", "compose.yaml:2:1: services: "},
		{"ports", "compose.yaml", "services:\n  my.web:\n    image: x\n    ports:\n      - \"hunter2:80\"\n", "compose.yaml:"},
		{"a lonely dollar", "compose.yaml", "services:\n  db:\n    image: postgres\n    environment:\n      POSTGRES_PASSWORD: hunter2${\n", "compose.yaml:5:7: services.db.environment.POSTGRES_PASSWORD: "},
		{"no mapping", "compose.yaml", "hunter2\n", "compose.yaml"},
		{"empty", "compose.yaml", "", "compose.yaml"},
		{".env", ".env", "GOOD=1\nhunter2 is no assignment\n", ".env:"},
		{"aliases that explode", "compose.yaml", bomb(), "compose.yaml: its aliases unfold to more than 1048576 values"},
		{"huge", "compose.yaml", "#" + strings.Repeat(" ", 1<<20), "compose.yaml: is not a file of at most 1048576 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.file), c.content)
			_, err := survey(t, dir)
			var p diag.List
			if !errors.As(err, &p) || !strings.Contains(err.Error(), filepath.Join(dir, c.want)) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("quotes the file: %v", err)
			}
			t.Log(strings.TrimPrefix(err.Error(), dir+"/"))
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("x-0: &a0 [x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		n, m := string(rune('1'+i)), string(rune('0'+i))
		b.WriteString("x-" + n + ": &a" + n + " [" + strings.TrimSuffix(strings.Repeat("*a"+m+",", 9), ",") + "]\n")
	}
	return b.String() + "services: {db: {image: postgres, labels: *a9}}\n"
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	cases := map[string]func(path string) error{
		"a directory":       func(path string) error { return os.Mkdir(path, 0o755) },
		"a pipe":            func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"a link to nothing": func(path string) error { return os.Symlink("/nowhere/at/all", path) },
		"a link to zeros":   func(path string) error { return os.Symlink("/dev/zero", path) },
	}
	for name, make := range cases {
		dir := t.TempDir()
		if err := make(filepath.Join(dir, "compose.yaml")); err != nil {
			t.Fatal(err)
		}
		var p diag.List
		if _, err := survey(t, dir); !errors.As(err, &p) || p[0].File != filepath.Join(dir, "compose.yaml") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIncludedFilesAreJudgedAndCopied(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "compose.yaml"), "include: [{path: [parts/db.yaml]}]\nservices: {web: {extends: {file: parts/base.yaml, service: web}}}\n")
	write(t, filepath.Join(dir, "parts/db.yaml"), "services: {db: {image: postgres, ports: ['5432:5432'], environment: {POSTGRES_PASSWORD: x-literal}}}\n")
	if draft, err := survey(t, dir); err != nil || !strings.Contains(string(draft.Text), "url: postgres://") && len(draft.Notes) == 0 {
		t.Errorf("with one file missing: %v", err)
	}
	write(t, filepath.Join(dir, "parts/base.yaml"), "services: {web: {image: nginx, ports: ['80:80']}}\n")
	draft, err := survey(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind: postgres", "http://127.0.0.1:80/", "- parts/base.yaml", "- parts/db.yaml", `password: "compose:parts/db.yaml#db.POSTGRES_PASSWORD"`} {
		if !strings.Contains(string(draft.Text), want) {
			t.Errorf("lacks %s:\n%s", want, draft.Text)
		}
	}
	write(t, filepath.Join(dir, "parts/db.yaml"), bomb())
	var p diag.List
	if _, err := survey(t, dir); !errors.As(err, &p) || p[0].File != filepath.Join(dir, "parts/db.yaml") {
		t.Errorf("an included bomb: %v", err)
	}
}

func TestLinkedFilesAreRead(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	write(t, filepath.Join(elsewhere, "c.yml"), "services: {db: {image: postgres, environment: {POSTGRES_PASSWORD: \"${PW}\"}, ports: ['5432:5432']}}\n")
	write(t, filepath.Join(elsewhere, "e"), "PW=x\n")
	for link, to := range map[string]string{"docker-compose.yml": "c.yml", ".env": "e"} {
		if err := os.Symlink(filepath.Join(elsewhere, to), filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	draft, err := survey(t, dir)
	if err != nil || !strings.Contains(string(draft.Text), `password: "dotenv:.env#PW"`) {
		t.Errorf("%v\n%s", err, draft.Text)
	}
}

// TestNothingInNamesBecomesYAML puts hostile text into every place that reaches
// the declaration and reads it back.
func TestNothingInNamesBecomesYAML(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "compose.yaml"), `
services:
  "a.b": {image: "x\nrepository: {path: /evil}\u2028system: evil", ports: ["8000:8000"]}
  "a-b": {image: "nginx # c", ports: ["8001:80"], healthcheck: {test: "curl http://user:hunter2@localhost/ok%20%23?x=hunter2"}}
  "null": {image: postgres, environment: {POSTGRES_USER: "u'\"\n: #{[&*!|>%@", POSTGRES_DB: "d?x=1&password=2"}, ports: ["1:5432"]}
  "123": {image: redis, ports: ["2:6379"]}
`)
	odd := []string{"x: y", "- a", "#c", "'q", "\"d\"", "&a", "*a_*", "!t", "%p", "@a", "`b", "{a,b}", "[a-z]", "a\\b", "true", "null", "0x1F", "1e3", "~", " lead", "trail ", "é", "馆", "a\u00a0b", "a\u2028b"}
	for _, name := range odd {
		write(t, filepath.Join(dir, "data", name, "f"), "x")
	}
	write(t, filepath.Join(dir, "data", "new\nline", "f"), "x")
	write(t, filepath.Join(dir, "data", "gbk\xc4\xe3", "f"), "x")
	write(t, filepath.Join(dir, "data", "pg", "f"), "x")
	write(t, filepath.Join(dir, "compose.override.yaml"), "services: {'null': {volumes: ['./data/pg:/var/lib/postgresql/data']}}\n")
	draft, err := survey(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	c, problems := config.Parse(filepath.Join(dir, "upkeep.yaml"), draft.Text, all.Kinds())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if c.Repository.Path != "" || c.System == "evil" || strings.Contains(string(draft.Text), "hunter2") {
		t.Errorf("a name became YAML, or a secret shows:\n%s", draft.Text)
	}
	var paths []string
	for _, s := range c.Services {
		if s.Name == "data" {
			paths = s.Config.(*files.Config).Paths
		}
	}
	for _, name := range odd {
		if !contains(paths, "data/"+unescaped(name)) {
			t.Errorf("%q did not come back from %q", name, paths)
		}
	}
	if len(paths) != len(odd) {
		t.Errorf("%d paths, want %d: %q", len(paths), len(odd), paths)
	}
}

// unescaped is a name as a pattern that means nothing else.
func unescaped(name string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `{`, `\{`, `}`, `\}`, `\`, `\\`).Replace(name)
}

func contains(all []string, one string) bool {
	for _, a := range all {
		if a == one {
			return true
		}
	}
	return false
}

func TestWriteNeverReplaces(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a file":            func(path string) error { return os.WriteFile(path, []byte("mine"), 0o600) },
		"a directory":       func(path string) error { return os.Mkdir(path, 0o755) },
		"a link to nothing": func(path string) error { return os.Symlink("nowhere", path) },
	} {
		path := filepath.Join(t.TempDir(), "upkeep.yaml")
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{initialize.Free(path), initialize.Write(path, []byte("new"))} {
			if id, _ := service.ErrorID(err); id != "init.exists" || !errors.Is(err, service.ErrRefused) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Errorf("%s: %v is left, %v", name, entries, err)
		}
	}
}

func TestOneOfManyWritersWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "upkeep.yaml")
	var wait sync.WaitGroup
	won := make(chan string, 20)
	for i := range 20 {
		text := strings.Repeat(string(rune('a'+i)), 10000)
		wait.Go(func() {
			if err := initialize.Write(path, []byte(text)); err == nil {
				won <- text
			} else if !errors.Is(err, service.ErrRefused) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	close(won)
	content, err := os.ReadFile(path)
	if err != nil || len(won) != 1 || string(content) != <-won {
		t.Errorf("%d writers won, %v", len(won), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestServersOfThisMachineAreFound(t *testing.T) {
	server := lab.Redis(t, lab.Options{})
	opt := world{lang: "en"}.options(t, t.TempDir())
	opt.Machine = initialize.Machine{}
	draft, err := initialize.Survey(t.Context(), opt)
	if err != nil || !strings.Contains(string(draft.Text), "url: "+server.URL("0")+"\n") {
		t.Errorf("%v, %s is not in\n%s", err, server.URL("0"), draft.Text)
	}
	for _, n := range draft.Notes {
		if n.ID == "init.unreachable" && n.Args["address"] == server.Addr() {
			t.Error("the server runs and was not reached")
		}
	}
}

func TestDirectoriesThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "")
	for _, dir := range []string{file, file + "-gone"} {
		var p diag.List
		if _, err := survey(t, dir); !errors.As(err, &p) || p[0].File != dir {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
