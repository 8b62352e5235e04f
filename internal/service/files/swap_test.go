package files_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestALinkSwappedInDuringTheWalkLeadsNowhere(t *testing.T) {
	env := servicetest.Env(t)
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret"), "outside", 0o600)
	write(t, filepath.Join(env.Base, "data/a"), "x", 0o600)
	write(t, filepath.Join(env.Base, "data/b/file"), "x", 0o600)
	in := target(t, env, nil, "data")
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer snap.Close()
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		if strings.HasSuffix(p.Name, "secret") {
			t.Errorf("the walk left the tree: %s", p.Name)
		}
		if strings.HasSuffix(p.Name, "data/a") { // its directory is listed by now
			must(t, os.RemoveAll(filepath.Join(env.Base, "data/b")))
			must(t, os.Symlink(outside, filepath.Join(env.Base, "data/b")))
		}
	}
	if got := findings(t, snap); got != "vanished" {
		t.Errorf("findings %q, want vanished", got)
	}
}

// TestStockTarRestoresAnExtract gives what Extract puts to GNU tar, as README.md
// says, and compares the result with the copy.
func TestStockTarRestoresAnExtract(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for owners and devices")
	}
	env := servicetest.Env(t)
	root := filepath.Join(env.Base, "data")
	everything(t, root)
	in := target(t, env, nil, "data")
	c := backup(t, in)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	must(t, in.Extract(t.Context(), c, service.Selection{}, func(h *tar.Header, content io.Reader) error {
		if err := w.WriteHeader(h); err != nil || content == nil {
			return err
		}
		_, err := io.Copy(w, content)
		return err
	}))
	must(t, w.Close())
	must(t, os.RemoveAll(root))
	cmd := exec.Command("tar", "--extract", "--xattrs", "--xattrs-include=*", "--same-owner", "--strip-components=1", "--directory=/", "files")
	cmd.Stdin = &archive
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	equal(t, in, c)
}
