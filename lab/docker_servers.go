package lab

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ServersImage holds PostgreSQL 15 and Redis as this machine has them, busybox, and
// nothing else. Its users have other numbers than those of this machine.
const ServersImage = "lab/servers:1"

const serversUsers = "root:x:0:0::/:/bin/sh\npostgres:x:970:970::/data:/bin/sh\nredis:x:971:971::/data:/bin/sh\n"

const (
	imagePostgres = "/usr/lib/postgresql/15"
	imageShare    = "/usr/share/postgresql/15"
)

// ImportServers makes ServersImage: 100 MB, a few seconds.
func (e *Engine) ImportServers(ctx context.Context) error {
	files, err := serverFiles(ctx)
	if err != nil {
		return err
	}
	archive, written := io.Pipe()
	go func() { _ = written.CloseWithError(putServers(written, files)) }() // it never fails
	return errors.Join(e.importImage(ctx, archive, ServersImage, "PATH="+imagePostgres+"/bin:/usr/bin:/bin"), archive.Close())
}

// serverFiles lists the programs, what they read and the libraries that they load.
func serverFiles(ctx context.Context) ([]string, error) {
	files := []string{"/usr/bin/redis-server", "/usr/bin/redis-cli"}
	for _, program := range []string{"initdb", "postgres", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready", "psql"} {
		files = append(files, filepath.Join(imagePostgres, "bin", program))
	}
	libraries, err := librariesOf(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{filepath.Join(imagePostgres, "lib"), imageShare} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && (d.Name() == "bitcode" || d.Name() == "man") {
				return filepath.SkipDir
			}
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), "llvm") { // compiling expressions needs 100 MB more
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list what PostgreSQL reads: %w", err)
		}
	}
	return append(append(files, "/usr/share/zoneinfo/UTC"), libraries...), nil
}

// librariesOf asks the loader.
func librariesOf(ctx context.Context, programs []string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", programs...).Output()
	if err != nil {
		return nil, fmt.Errorf("list the libraries of servers: %w", err)
	}
	seen := map[string]bool{}
	var found []string
	for word := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(word, "/") && !strings.HasSuffix(word, ":") && !seen[word] {
			seen[word], found = true, append(found, word)
		}
	}
	return found, nil
}

func putServers(to io.Writer, files []string) error {
	w := tar.NewWriter(to)
	err := errors.Join(putBase(w), putContent(w, "etc/passwd", strings.NewReader(serversUsers), int64(len(serversUsers)), 0o644))
	for _, path := range files {
		err = errors.Join(err, putFile(w, path))
	}
	return errors.Join(err, w.Close())
}

// putFile writes a file under its path, in place of a link what that leads to.
func putFile(w *tar.Writer, path string) error {
	return putFileAs(w, path, strings.TrimPrefix(path, "/"))
}

func putFileAs(w *tar.Writer, path, name string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it is only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return putContent(w, name, file, info.Size(), int64(info.Mode().Perm()))
}

func putContent(w *tar.Writer, name string, content io.Reader, size, mode int64) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: size, Mode: mode}); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}
