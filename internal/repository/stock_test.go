package repository_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kopiafs "github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"github.com/kopia/kopia/repo/manifest"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

// stock opens a repository as the kopia program does.
func stock(t *testing.T, path string) repo.Repository {
	t.Helper()
	config := filepath.Join(t.TempDir(), "kopia.config")
	described, err := json.Marshal(repo.LocalConfig{Storage: &blob.ConnectionInfo{Type: "filesystem", Config: &filesystem.Options{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, described, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := repo.Open(t.Context(), config, password, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestStockKopiaReadsAPoint(t *testing.T) {
	ours, path := create(t)
	s, want := &fakeSnapshot{}, map[string]bool{}
	for _, name := range hostile() {
		s.add(name, []byte("content of "+name))
		want["content of "+name] = true
	}
	s.add("zz large", noise(3, 5<<20))
	backUp(t, ours, "p1", day(1), s.sorted())

	k := stock(t, path)
	roots := map[string]kopiafs.Entry{}
	ids, err := snapshot.ListSnapshotManifests(t.Context(), k, nil, map[string]string{"tag:upkeep-point": "p1"})
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := snapshot.LoadSnapshots(t.Context(), k, ids)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifests {
		root, err := snapshotfs.SnapshotRoot(k, m)
		if err != nil {
			t.Fatal(err)
		}
		roots[m.Source.Path] = root
	}
	if got := slices.Sorted(maps.Keys(roots)); !slices.Equal(got, []string{"/cot/(declaration)", "/cot/files"}) {
		t.Fatalf("snapshots %q", got)
	}
	verifyStock(t, k, roots)
	files := map[string]string{}
	readTree(t, "", roots["/cot/files"].(kopiafs.Directory), files)
	for name, content := range files {
		if strings.HasPrefix(name, "pages/") {
			delete(want, content)
		}
	}
	if len(want) > 0 {
		t.Errorf("not among the files: %q", slices.Collect(maps.Keys(want)))
	}
	declared := map[string]string{}
	readTree(t, "", roots["/cot/(declaration)"].(kopiafs.Directory), declared)
	if declared["upkeep.yaml"] != "system: cot\n" {
		t.Errorf("declaration %q", declared)
	}
}

// verifyStock runs kopia's own verifier over everything.
func verifyStock(t *testing.T, k repo.Repository, roots map[string]kopiafs.Entry) {
	t.Helper()
	v := snapshotfs.NewVerifier(t.Context(), k, snapshotfs.VerifierOptions{VerifyFilesPercent: 100, Parallelism: 2, MaxErrors: 1})
	result, err := v.InParallel(t.Context(), func(tw *snapshotfs.TreeWalker) error {
		for path, root := range roots {
			if err := tw.Process(t.Context(), root, path); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || result.ErrorCount > 0 || result.Stats.ReadFileCount == 0 {
		t.Errorf("kopia's verifier: %+v (%v)", result, err)
	}
}

// readTree reads all files below dir, and expects names that no shell or file
// system minds.
func readTree(t *testing.T, prefix string, dir kopiafs.Directory, files map[string]string) {
	t.Helper()
	err := kopiafs.IterateEntries(t.Context(), dir, func(ctx context.Context, e kopiafs.Entry) error {
		name := e.Name()
		if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\\\x00\n") {
			t.Errorf("unsafe name %q", name)
		}
		if sub, ok := e.(kopiafs.Directory); ok {
			readTree(t, prefix+name+"/", sub, files)
			return nil
		}
		r, err := e.(kopiafs.File).Open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		files[prefix+name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestASnapshotThatStockKopiaDeletedIsMissed(t *testing.T) {
	ours, path := create(t)
	backUp(t, ours, "p1", day(1), texts("a", "1"))
	k := stock(t, path)
	err := repo.WriteSession(t.Context(), k, repo.WriteSessionOptions{}, func(ctx context.Context, w repo.RepositoryWriter) error {
		ids, err := snapshot.ListSnapshotManifests(ctx, w, nil, map[string]string{"tag:upkeep-target": "files"})
		for _, id := range ids {
			err = errors.Join(err, w.DeleteManifest(ctx, id))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := ours.Verify(t.Context(), "p1", repository.VerifyOptions{}, service.Report{})
	if err != nil || len(v.Damaged) != 1 || v.Damaged[0].Target != "files" {
		t.Errorf("verified %+v (%v)", v, err)
	}
	if err := ours.Maintain(t.Context(), true); !errors.Is(err, service.ErrRefused) {
		t.Errorf("maintenance: %v", err)
	}
}

func TestARecordThatCannotBeReadStopsRetention(t *testing.T) {
	ours, path := create(t)
	backUp(t, ours, "p1", day(1), texts("a", "1"))
	backUp(t, ours, "p2", day(2), texts("a", "2"))
	k := stock(t, path)
	var unknown manifest.ID
	err := repo.WriteSession(t.Context(), k, repo.WriteSessionOptions{}, func(ctx context.Context, w repo.RepositoryWriter) (err error) {
		unknown, err = w.PutManifest(ctx, map[string]string{"type": "upkeep", "role": "blessed", "point": "p3"}, "newer")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := ours.Retain(t.Context(), repository.Keep{Last: 1}, false); err == nil {
		t.Errorf("decided %+v", d)
	}
	err = repo.WriteSession(t.Context(), k, repo.WriteSessionOptions{}, func(ctx context.Context, w repo.RepositoryWriter) error {
		return w.DeleteManifest(ctx, unknown)
	})
	if err != nil {
		t.Fatal(err)
	}
	expectPoints(t, ours, "p2", "p1")
}
