package initialize_test

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/capability/initialize"
	"upkeep/internal/config"
	"upkeep/internal/repository"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

const declared = `system: shop # kept
services:
  host: {kind: host}
  db: {kind: postgres, url: "postgres://u@127.0.0.1:5432/d", password: file:secrets/db}
`

// stored is a repository with one sealed point per declaration, an hour apart.
func stored(t *testing.T, systems ...[2]string) (*repository.Repository, initialize.Place) {
	t.Helper()
	place := initialize.Place{Path: filepath.Join(t.TempDir(), "copies"), Password: "env:REPO_PW"}
	at := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	r, err := repository.Create(t.Context(), repository.Options{Path: place.Path, Password: "pw", Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for _, s := range systems {
		at = at.Add(time.Hour)
		seal(t, r, s[0], at, map[string][]byte{initialize.FileName: []byte(s[1])})
	}
	return r, place
}

// nothing is a snapshot without parts.
type nothing struct{}

func (nothing) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(func(service.Part, error) bool) {}
}
func (nothing) Manifest(context.Context) (service.Manifest, error) { return service.Manifest{}, nil }
func (nothing) Close() error                                       { return nil }

func seal(t *testing.T, r *repository.Repository, system string, at time.Time, files map[string][]byte) {
	t.Helper()
	w, err := r.Begin(t.Context(), repository.Header{ID: at.Format("20060102T150405"), System: system, Taken: at})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store(t.Context(), "host", "host", nothing{}, repository.StoreOptions{}, service.Report{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Seal(t.Context(), repository.Declaration{Files: files}, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func recoverIn(t *testing.T, r *repository.Repository, place initialize.Place, dir string) (initialize.Recovered, string) {
	t.Helper()
	opt := world{lang: "en"}.options(t, dir)
	found, err := initialize.Recover(t.Context(), opt, r, place)
	if err != nil {
		t.Fatal(err)
	}
	var notes []string
	for _, n := range found.Notes {
		notes = append(notes, opt.Words.Message(n.ID, n.Args))
	}
	return found, strings.Join(notes, "\n")
}

func TestRecoveredDeclarationNamesItsRepository(t *testing.T) {
	cases := []struct {
		name, written string
		want          string // of the whole text, after PLACE is filled in
		note          string
	}{
		{"not declared", declared, declared + "\n# Added by upkeep init --from-repository: the copies lay in the state directory of the lost machine.\n" +
			"repository:\n  path: PLACE\n  password: env:REPO_PW\n", "added to it"},
		{"declared elsewhere", "repository: {path: /gone,\n  password: env:OLD}\n\n# services\n" + declared,
			"# Changed by upkeep init --from-repository to what the command line said; it was:\n# repository: {path: /gone,\n#   password: env:OLD}\n" +
				"repository:\n  path: PLACE\n  password: env:REPO_PW\n\n# services\n" + declared, "said otherwise"},
		{"declared last, no newline", declared + "repository:\n  path: /gone\n  password: env:OLD",
			declared + "# Changed by upkeep init --from-repository to what the command line said; it was:\n# repository:\n#   path: /gone\n#   password: env:OLD\n" +
				"repository:\n  path: PLACE\n  password: env:REPO_PW\n", "said otherwise"},
		{"declared alike", declared + "repository: {path: PLACE, password: env:REPO_PW}\n", declared + "repository: {path: PLACE, password: env:REPO_PW}\n", ""},
		{"in one line", "{system: shop, services: {host: {kind: host}}}\n", "{system: shop, services: {host: {kind: host}}}\n", "could not be changed"},
		{"Windows line ends", strings.ReplaceAll(declared, "\n", "\r\n"), strings.ReplaceAll(declared, "\n", "\r\n") +
			"\n# Added by upkeep init --from-repository: the copies lay in the state directory of the lost machine.\n" +
			"repository:\n  path: PLACE\n  password: env:REPO_PW\n", "added to it"},
	}
	r, place := stored(t)
	at := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fill := func(text string) string { return strings.ReplaceAll(text, "PLACE", place.Path) }
			seal(t, r, "shop", at.Add(time.Duration(i)*time.Hour), map[string][]byte{initialize.FileName: []byte(fill(c.written))})
			dir := t.TempDir()
			found, notes := recoverIn(t, r, place, dir)
			if string(found.Text) != fill(c.want) {
				t.Errorf("got\n%s\nwant\n%s", found.Text, fill(c.want))
			}
			if !strings.Contains(notes, c.note) || c.note == "" && strings.Contains(notes, "repository") {
				t.Errorf("notes: %s", notes)
			}
			if _, problems := config.Parse(filepath.Join(dir, found.Name), found.Text, all.Kinds()); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

func TestRecoveryChoosesTheSystem(t *testing.T) {
	r, place := stored(t, [2]string{"shop", declared}, [2]string{"lab", strings.Replace(declared, "shop", "lab", 1)})
	cases := []struct{ dir, want, other string }{{"anything", "system: lab", "shop"}, {"shop", "system: shop", "lab"}}
	for _, c := range cases {
		dir := filepath.Join(t.TempDir(), c.dir)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		found, notes := recoverIn(t, r, place, dir)
		if !strings.HasPrefix(string(found.Text), c.want) || !strings.Contains(notes, "also holds: "+c.other) || found.Targets != 2 {
			t.Errorf("in %s: %d targets, %s\n%s", c.dir, found.Targets, notes, found.Text)
		}
	}
}

func TestRecoverySaysWhichSecretsAreNotHereYet(t *testing.T) {
	r, place := stored(t, [2]string{"shop", declared})
	dir := t.TempDir()
	if _, notes := recoverIn(t, r, place, dir); !strings.Contains(notes, "not on this machine yet: file:secrets/db") {
		t.Errorf("notes: %s", notes)
	}
	write(t, filepath.Join(dir, "secrets/db"), "x")
	if _, notes := recoverIn(t, r, place, dir); strings.Contains(notes, "secrets/db") {
		t.Errorf("notes: %s", notes)
	}
}

func TestRecoveryTakesAnOlderPointWhereTheNewestHasNoDeclaration(t *testing.T) {
	r, place := stored(t, [2]string{"shop", declared})
	at := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	seal(t, r, "shop", at, nil)
	seal(t, r, "shop", at.Add(time.Hour), map[string][]byte{"../../etc/cron.d/x.yaml": []byte(declared)})
	found, notes := recoverIn(t, r, place, t.TempDir())
	if found.Name != initialize.FileName || len(found.Files) != 1 || strings.Count(notes, "can no longer be read") != 2 {
		t.Errorf("%s with %d files; notes: %s", found.Name, len(found.Files), notes)
	}
}

func TestRecoveryFromAnEmptyRepositorySaysSo(t *testing.T) {
	r, place := stored(t)
	_, err := initialize.Recover(t.Context(), world{lang: "en"}.options(t, t.TempDir()), r, place)
	if id, _ := service.ErrorID(err); id != "error.not-found" || !strings.Contains(err.Error(), "no complete restore point") {
		t.Errorf("%s: %v", id, err)
	}
}

func TestReferencesHoldFromAnyDirectory(t *testing.T) {
	cases := map[string]string{"file:pw": "file:/b/pw", "dotenv:x/.env#KEY": "dotenv:/b/x/.env#KEY", "file:/etc/pw": "file:/etc/pw", "env:PW": "env:PW"}
	for given, want := range cases {
		if got := initialize.Absolute(given, "/b"); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}
