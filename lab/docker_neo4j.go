package lab

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Neo4jImage holds Neo4j and Java as this machine has them, busybox, and nothing else,
// where Neo4j's own image has them: its home is /var/lib/neo4j, its user 7474, and data
// belong into /data. Without libpthread neo4j-admin cannot load Zstandard and packs
// dumps by gzip.
const Neo4jImage = "lab/neo4j:1"

const (
	imageNeo4j = "var/lib/neo4j"
	neo4jUsers = "root:x:0:0::/:/bin/sh\nneo4j:x:7474:7474::/var/lib/neo4j:/bin/sh\n"
)

// ImportNeo4j makes Neo4jImage: 270 MB, ten seconds.
func (e *Engine) ImportNeo4j(ctx context.Context) error {
	bin, err := Neo4jBin()
	if err != nil {
		return err
	}
	java, err := JavaHome()
	if err != nil {
		return err
	}
	files, err := javaFiles(ctx, java)
	if err != nil {
		return err
	}
	archive, written := io.Pipe()
	go func() { _ = written.CloseWithError(putNeo4j(written, filepath.Dir(bin), files)) }() // it never fails
	return errors.Join(e.importImage(ctx, archive, Neo4jImage, "PATH=/"+imageNeo4j+"/bin:"+java+"/bin:/bin",
		"NEO4J_HOME=/"+imageNeo4j, "NEO4J_CONF=/"+imageNeo4j+"/conf"), archive.Close())
}

// javaFiles lists the virtual machine, what it reads and the libraries that it loads.
func javaFiles(ctx context.Context, home string) ([]string, error) {
	in := func(name string) string { return filepath.Join(home, name) }
	files, err := librariesOf(ctx, []string{in("bin/java"), in("lib/server/libjvm.so"), in("lib/libnio.so"),
		in("lib/libnet.so"), in("lib/libmanagement_ext.so"), in("lib/libzip.so")})
	if err != nil {
		return nil, err
	}
	files = append(files, in("bin/java"))
	for _, dir := range []string{in("lib"), in("conf")} {
		below, err := filesBelow(dir)
		if err != nil {
			return nil, fmt.Errorf("list what Java reads: %w", err)
		}
		files = append(files, below...)
	}
	for i, path := range files {
		files[i] = filepath.Clean(path) // the loader names some of them by other ways
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// filesBelow follows links to files and leaves out those that lead nowhere: a headless
// Java has some.
func filesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return files, err
}

func putNeo4j(to io.Writer, neo4j string, files []string) error {
	w := tar.NewWriter(to)
	err := errors.Join(putBase(w), putContent(w, "etc/passwd", strings.NewReader(neo4jUsers), int64(len(neo4jUsers)), 0o644))
	for _, name := range []string{"logs", "run", "import", "plugins", "licenses", "conf"} {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Name: imageNeo4j + "/" + name + "/", Typeflag: tar.TypeDir, Mode: 0o777}))
	}
	for _, path := range files {
		err = errors.Join(err, putFile(w, path))
	}
	own, listing := filesBelow(neo4j)
	err = errors.Join(err, listing)
	for _, path := range own {
		err = errors.Join(err, putFileAs(w, path, imageNeo4j+strings.TrimPrefix(path, neo4j)))
	}
	return errors.Join(err, w.Close())
}
