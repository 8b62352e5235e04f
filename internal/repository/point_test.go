package repository_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

func TestASealedPointComesBackWhole(t *testing.T) {
	r, path := create(t)
	w := begin(t, r, header("p1", day(1)))
	store(t, w, "files", texts("a", "1", "b", "22"))
	store(t, w, "db", texts("dump", "333"))
	made := seal(t, w)
	if made.Bytes != 6 || len(made.Targets) != 2 || made.Targets[0].Target != "db" {
		t.Errorf("sealed as %+v", made)
	}
	p, err := reopen(t, path).Point(t.Context(), "p1")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Complete || p.System != "cot" || !p.Taken.Equal(day(1)) || p.JournalHead != "head-1" || p.Bytes != 6 {
		t.Errorf("came back as %+v", p)
	}
	if got := string(p.Declaration.Files["upkeep.yaml"]); got != "system: cot\n" {
		t.Errorf("declaration %q", got)
	}
	if c, found := p.Target("files"); !found || c.Counts["files"] != 2 || c.Manifest.Version != "1" {
		t.Errorf("files %+v", c)
	}
}

func TestPointNames(t *testing.T) {
	r, _ := create(t)
	if c, err := r.Latest(t.Context(), "cot", "files"); c != nil || err != nil {
		t.Errorf("latest of nothing: %v, %v", c, err)
	}
	backUp(t, r, "20261101-aa", day(1), texts("a", "1"))
	backUp(t, r, "20261102-bb", day(2), texts("a", "2"))
	saved := header("20261103-cc", day(3))
	saved.Reason = repository.ReasonBeforeRestore
	w := begin(t, r, saved)
	store(t, w, "files", texts("a", "3"))
	seal(t, w)
	for typed, want := range map[string]string{
		"latest": "20261102-bb", "20261102-bb": "20261102-bb", "20261103": "20261103-cc", "202611": "", "x": "", "": "",
	} {
		p, err := r.Point(t.Context(), typed)
		if p.ID != want || (want == "") != errors.Is(err, service.ErrNotFound) {
			t.Errorf("%q is %q (%v), want %q", typed, p.ID, err, want)
		}
	}
	c, err := r.Latest(t.Context(), "cot", "files")
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.Part(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := contentOf(t, part); string(got) != "2" {
		t.Errorf("latest holds %q", got)
	}
	if c, err := r.Latest(t.Context(), "other", "files"); c != nil || err != nil {
		t.Errorf("latest of another system: %v, %v", c, err)
	}
}

func TestMarksLiveInTheRepository(t *testing.T) {
	r, path := create(t)
	backUp(t, r, "p1", day(1), texts("a", "1"))
	proof := repository.Proof{RPO: time.Hour, RTO: time.Minute, Compared: map[string]int64{"files": 1}}
	for _, err := range []error{
		r.MarkVerified(t.Context(), "p1", day(2)),
		r.MarkProven(t.Context(), "p1", day(3), proof),
		r.MarkVerified(t.Context(), "p1", day(1)), // the clock was set back
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p, err := reopen(t, path).Point(t.Context(), "p1")
	if err != nil || !p.Verified.Equal(day(1)) || !p.Proven.Equal(day(3)) || p.Proof == nil || p.Proof.RTO != time.Minute {
		t.Errorf("marks came back as %+v (%v)", p, err)
	}
	if err := r.MarkDamaged(t.Context(), "p1", day(4)); err != nil {
		t.Fatal(err)
	}
	if p, _ := r.Point(t.Context(), "p1"); !p.Damaged.Equal(day(4)) || !p.Verified.IsZero() {
		t.Errorf("a damaged point shows as %+v", p)
	}
	w := begin(t, r, header("p2", day(5)))
	defer w.Close(t.Context())
	if err := r.MarkVerified(t.Context(), "p2", day(5)); !errors.Is(err, service.ErrRefused) {
		t.Errorf("marking an incomplete point: %v", err)
	}
}

func TestOpeningAndCreating(t *testing.T) {
	_, path := create(t)
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	options := func(path, password string) repository.Options {
		return repository.Options{Path: path, Password: password}
	}
	_, err := repository.Create(t.Context(), options(path, password))
	if !errors.Is(err, repository.ErrExists) || !errors.Is(err, service.ErrRefused) {
		t.Errorf("creating a second one: %v", err)
	}
	if _, err := repository.Create(t.Context(), options(foreign, password)); !errors.Is(err, service.ErrRefused) || errors.Is(err, repository.ErrExists) {
		t.Errorf("creating among other files: %v", err)
	}
	fresh := t.TempDir()
	if err := os.Mkdir(filepath.Join(fresh, "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	// A power cut while a repository is made leaves any of these.
	for _, left := range []string{".shards.tmp.3d1da51866501a12", ".shards", "kopia.blobcfg.f.tmp.3d1d", "kopia.blobcfg.f", "kopia.repository.f.tmp.3d1d"} {
		if err := os.WriteFile(filepath.Join(fresh, left), []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := repository.Create(t.Context(), options(fresh, password)); err != nil {
		t.Errorf("creating on a new file system: %v", err)
	} else {
		closeRepository(t, r)
	}
	for name, c := range map[string]struct {
		path, password string
		want           error
	}{
		"wrong password":  {path, "guess", repository.ErrPassword},
		"no password":     {path, "", repository.ErrPassword},
		"other files":     {foreign, password, service.ErrNotFound},
		"no such path":    {foreign + "/none", password, service.ErrNotFound},
		"empty directory": {t.TempDir(), password, service.ErrNotFound},
	} {
		if _, err := repository.Open(t.Context(), options(c.path, c.password)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADamagedFormatIsToldFromAWrongPassword(t *testing.T) {
	_, path := create(t)
	format := filepath.Join(path, "kopia.repository.f")
	whole, err := os.ReadFile(format)
	if err != nil {
		t.Fatal(err)
	}
	flipped := []byte(strings.Replace(string(whole), `"encryptedBlockFormat": "`, `"encryptedBlockFormat": "AAAA`, 1))
	for name, content := range map[string][]byte{"cut": whole[:len(whole)/2], "flipped": flipped, "emptied": nil} {
		if err := os.WriteFile(format, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := repository.Open(t.Context(), repository.Options{Path: path, Password: password})
		if !errors.Is(err, service.ErrDamaged) || errors.Is(err, repository.ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(format); err != nil {
		t.Fatal(err)
	}
	var fault *service.Fault
	_, err = repository.Open(t.Context(), repository.Options{Path: path, Password: password})
	if !errors.Is(err, service.ErrDamaged) || !errors.As(err, &fault) || fault.ID != "repository.format-damaged" {
		t.Errorf("lost: %v", err)
	}
	saved, err := os.ReadFile(filepath.Join(path, "kopia.repository.copy"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(format, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	reopen(t, path)
}

func TestNothingOnTheDiskHoldsThePassword(t *testing.T) {
	path, cache := filepath.Join(t.TempDir(), "copies"), filepath.Join(t.TempDir(), "cache")
	r, err := repository.Create(t.Context(), repository.Options{Path: path, Password: password, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	backUp(t, r, "p1", day(1), texts("secret-name", "secret-content"))
	closeRepository(t, r)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("repository directory has mode %v (%v)", info.Mode(), err)
	}
	for _, root := range []string{path, cache} {
		err := filepath.Walk(root, func(file string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			if info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has mode %v", file, info.Mode())
			}
			content, err := os.ReadFile(file)
			for _, word := range []string{password, "secret-name", "secret-content", "upkeep.yaml"} {
				if strings.Contains(string(content), word) {
					t.Errorf("%s holds %q in clear", file, word)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRepositoriesMayShareTheirPrivateDirectory(t *testing.T) {
	_, first := create(t)
	cache := t.TempDir()
	second, err := repository.Create(t.Context(), repository.Options{Path: t.TempDir(), Password: "another", CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer closeRepository(t, second)
	other, err := repository.Open(t.Context(), repository.Options{Path: first, Password: password, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	defer closeRepository(t, other)
	backUp(t, second, "p1", day(1), texts("a", "1"))
	expectPoints(t, other)
	expectPoints(t, second, "p1")
}

func TestASealedPointIsNotWrittenAgain(t *testing.T) {
	r, _ := create(t)
	backUp(t, r, "p1", day(1), texts("a", "1"))
	if _, err := r.Begin(t.Context(), header("p1", day(1))); !errors.Is(err, service.ErrRefused) {
		t.Errorf("beginning a sealed point: %v", err)
	}
	w := begin(t, r, header("p2", day(2)))
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := header("p2", day(2))
	other.System = "other"
	if _, err := r.Begin(t.Context(), other); !errors.Is(err, service.ErrRefused) {
		t.Errorf("going on with the point of another system: %v", err)
	}
}
