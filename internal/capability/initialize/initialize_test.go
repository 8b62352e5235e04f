package initialize_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"upkeep/internal/capability/initialize"
	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/secret"
	"upkeep/internal/service/all"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

func words(t *testing.T, lang string) catalogue.Words {
	t.Helper()
	sources := []catalogue.Source{{Prefix: "init", Text: initialize.Words()}}
	for _, k := range all.Kinds().Kinds() {
		sources = append(sources, catalogue.Source{Prefix: k.Name(), Text: k.Text()})
	}
	c, err := catalogue.New(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return c.Words(lang)
}

func TestWordsAreComplete(t *testing.T) {
	c, err := catalogue.New(catalogue.Source{Prefix: "init", Text: initialize.Words()})
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// world is what the head of a fixture says.
type world struct {
	dir, lang string
	env       map[string]string
	listeners []initialize.Listener
	down      []string
}

func readWorld(t *testing.T, head string) world {
	t.Helper()
	w := world{lang: "en", env: map[string]string{}}
	for line := range strings.Lines(head) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "dir":
			w.dir = fields[1]
		case "lang":
			w.lang = fields[1]
		case "env":
			name, value, _ := strings.Cut(fields[1], "=")
			w.env[name] = value
		case "down":
			w.down = append(w.down, fields[1])
		case "listen":
			host, port, err := net.SplitHostPort(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			number, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			w.listeners = append(w.listeners, initialize.Listener{IP: host, Port: uint32(number),
				Program: strings.Trim(fields[1], "-"), Args: fields[3:]})
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	return w
}

func (w world) options(t *testing.T, dir string) initialize.Options {
	return initialize.Options{Dir: dir, Words: words(t, w.lang), Kinds: all.Kinds(), StateDir: "/var/lib/upkeep",
		Getenv: func(name string) string { return w.env[name] },
		Machine: initialize.Machine{
			Listening: func(context.Context) ([]initialize.Listener, error) { return slices.Clone(w.listeners), nil },
			Dial: func(_ context.Context, address string) error {
				if slices.Contains(w.down, address) {
					return errors.New("refused")
				}
				return nil
			},
		}}
}

// unpack writes the files of a fixture, except the golden ones.
func unpack(t *testing.T, archive *txtar.Archive, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	for _, f := range archive.Files {
		if !strings.HasPrefix(f.Name, "golden/") {
			write(t, filepath.Join(dir, f.Name), string(f.Data))
		}
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDrafts reads each fixture and compares what is written and what is said.
// A draft must load, hold no secret and refer only to what can be resolved.
func TestDrafts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d fixtures, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := readWorld(t, string(archive.Comment))
			dir := unpack(t, archive, w.dir)
			opt := w.options(t, dir)
			draft, err := initialize.Survey(t.Context(), opt)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, file, archive, dir, "golden/upkeep.yaml", string(draft.Text))
			var notes strings.Builder
			for _, n := range draft.Notes {
				fmt.Fprintln(&notes, opt.Words.Message(n.ID, n.Args))
			}
			golden(t, file, archive, dir, "golden/notes", notes.String())
			loads(t, dir, draft)
			holdsNoSecret(t, string(draft.Text)+notes.String())
		})
	}
}

func golden(t *testing.T, file string, archive *txtar.Archive, dir, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, filepath.Dir(dir), "/srv")
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	if *update {
		if i < 0 {
			archive.Files = append(archive.Files, txtar.File{Name: name})
			i = len(archive.Files) - 1
		}
		archive.Files[i].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if i < 0 || string(archive.Files[i].Data) != got {
		t.Errorf("%s differs (run with -update to accept):\n%s", name, got)
	}
}

func loads(t *testing.T, dir string, draft initialize.Draft) {
	t.Helper()
	path := filepath.Join(dir, initialize.FileName)
	if err := initialize.Write(path, draft.Text); err != nil {
		t.Fatal(err)
	}
	configs, problems := config.Load([]string{path}, all.Kinds())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if len(configs[0].Services) != draft.Targets {
		t.Errorf("%d targets, %d were told", len(configs[0].Services), draft.Targets)
	}
	if literals := config.Literals(configs[0]); len(literals) > 0 {
		t.Errorf("secrets in the file: %v", literals)
	}
}

// holdsNoSecret looks for the words that mark every secret of the fixtures.
func holdsNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, mark := range []string{"-literal", "-secret", "health-token", "passed-through", "not-what-runs"} {
		if strings.Contains(text, mark) {
			t.Errorf("a secret shows: …%s", mark)
		}
	}
}

// TestReferencesLeadToWhatRuns resolves the password of each target of the
// fixtures and compares it with what the container gets.
func TestReferencesLeadToWhatRuns(t *testing.T) {
	want := map[string]map[string]string{
		"cot-studio":   {"dotenv:.env#POSTGRES_PASSWORD": "", "compose:docker-compose.yml#postgres.POSTGRES_PASSWORD": "cotpass-literal"},
		"prod-overlay": {"dotenv:.env#DB_PASSWORD": "dotenv-secret #1", "env:CACHE_PASSWORD": "process-secret"},
		"lists": {"dotenv:db.env#POSTGRES_PASSWORD": "env-file-secret", "compose:compose.yaml#my-db.POSTGRES_PASSWORD": "list-literal$x",
			"file:secrets/pg": "file-secret", "compose:compose.yaml#shell.REDIS_PASSWORD": "passed-through"},
	}
	for name, references := range want {
		archive, err := txtar.ParseFile("testdata/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		w := readWorld(t, string(archive.Comment))
		dir := unpack(t, archive, w.dir)
		opt := w.options(t, dir)
		draft, err := initialize.Survey(t.Context(), opt)
		if err != nil {
			t.Fatal(err)
		}
		r := secret.Resolver{Base: dir, Getenv: opt.Getenv}
		for reference, value := range references {
			used := strings.Contains(strings.ReplaceAll(string(draft.Text), `"`, ""), "password: "+reference+"\n")
			if used != (value != "") {
				t.Errorf("%s: %s is used: %v", name, reference, used)
			}
			if got, err := r.Resolve(t.Context(), secret.Parse(reference)); used && (got != value || err != nil) {
				t.Errorf("%s: %s leads to %q, %v; want %q", name, reference, got, err, value)
			}
		}
	}
}
