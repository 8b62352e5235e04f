package postgres_test

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
	"upkeep/lab"
)

// extract writes the files of a copy into a directory.
func extract(t *testing.T, in service.Extractor, c service.Copy, only string) string {
	t.Helper()
	dir := t.TempDir()
	err := in.Extract(t.Context(), c, service.Selection{Only: only}, func(h *tar.Header, r io.Reader) error {
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if int64(len(text)) != h.Size {
			t.Errorf("%s has %d bytes, its header says %d", h.Name, len(text), h.Size)
		}
		return os.WriteFile(path, text, h.FileInfo().Mode())
	})
	must(t, err)
	return dir
}

// The commands of README.md are run as they stand there, by a shell, against a new
// server; then the server is compared with the copy.
func TestStockToolsRestoreWhatWasExtracted(t *testing.T) {
	server := startServer(t, nil)
	seedEverything(t, server)
	in := declare(t, servicetest.Env(t), server, "cotdb", exclude("postgres"))
	copied := backUp(t, in)
	dir := extract(t, in, copied, "")

	fresh := startServer(t, nil)
	script := "export PGPASSWORD=" + fresh.Password + "\n" + commands(t, dir)
	script = strings.Replace(script, "globals.sql\n", "globals.sql\nexport PGPASSWORD="+server.Password+"\n", 1)
	// The new server has its superuser already.
	globals, err := os.ReadFile(filepath.Join(dir, "globals.sql"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "globals.sql"), bytes.Replace(globals, []byte(`CREATE ROLE "postgres";`), nil, 1), 0o600))
	shell(t, fresh, dir, script)

	target := declareURL(t, servicetest.Env(t), fresh.URL("cotdb"), literalRef(server.Password), nil)
	v := notAmcheck(verify(t, target, copied))
	for _, f := range v.Findings {
		// psql and pg_restore bring no rights and settings of databases with these commands.
		if f.ID != "database-differs" {
			t.Errorf("unexpected finding %s %q %v", f.ID, f.Subject, f.Args)
		}
	}
	if v.Facts["rows"] != copied.Manifest().Counts["rows"] {
		t.Errorf("%v rows compared", v.Facts["rows"])
	}
}

// commands are the indented lines of the README that begin with a program.
func commands(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	must(t, err)
	var script strings.Builder
	script.WriteString("set -e\n")
	within := false
	for line := range strings.Lines(string(text)) {
		begins := strings.HasPrefix(line, "    psql ") || strings.HasPrefix(line, "    pg_restore ")
		within = begins || within && line != "\n" // a name with a line feed goes on
		if within {
			script.WriteString(strings.TrimPrefix(line, "    "))
		}
	}
	return script.String()
}

func shell(t *testing.T, server *lab.Server, dir, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PGHOST="+server.Host, "PGPORT="+itoa(server.Port), "PGUSER="+server.User)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, script)
	}
}

func TestOneTableIsExtractedAlone(t *testing.T) {
	_, in := shop(t)
	copied := backUp(t, in)
	dir := extract(t, in, copied, "public.log")
	var files []string
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	want := "README.md shop/rows.sql shop/schema.dump shop/tables/public/log.sql"
	if got := strings.Join(files, " "); got != want {
		t.Errorf("extracted %s; want %s", got, want)
	}
}
