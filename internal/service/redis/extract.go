package redis

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"upkeep/internal/service"
)

// readme tells how to use the file with stock tools. Its arguments: server,
// version, time, keys, format.
const readme = `# Copy of a %[1]s server

dump.rdb holds every database of a %[1]s %[2]s server as it was at %[3]s: %[4]d keys, format %[5]s.
A server of the same or a newer version reads it. It holds no users (ACL) and no settings.

1. Check the file: redis-check-rdb dump.rdb
2. Find the directory of the server: redis-cli CONFIG GET dir
   and the file's name there: redis-cli CONFIG GET dbfilename
3. Stop the server without a save: redis-cli SHUTDOWN NOSAVE
4. Put dump.rdb there under that name, readable for the server's user.
5. With "appendonly yes" the server reads the append-only file and not this one: move
   appendonlydir (before 7.0 appendonly.aof) away, start with --appendonly no, and after
   step 6 run: redis-cli CONFIG SET appendonly yes
6. Start the server and compare: redis-cli INFO keyspace

A primary drops keys whose time has come while it loads the file. To see them all, start a
server of its own on it that can reach no primary: redis-server --port 7000 --replicaof 127.0.0.1 1
`

// Extract gives the copy as the RDB file that it is. Single keys cannot be cut
// out of it: restore them into a server instead.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) (err error) {
	if !sel.All() {
		return fmt.Errorf("cut %q out of %s: %w", sel.Only, partName, service.ErrUnsupported)
	}
	m := c.Manifest()
	about := fmt.Sprintf(readme, m.Attrs[attrServer], m.Version, m.Taken.UTC().Format("2006-01-02 15:04:05 UTC"),
		m.Counts["keys"], m.Attrs[attrFormat])
	part, err := c.Part(ctx, partName)
	if err != nil {
		return fmt.Errorf("find %s: %w", partName, err)
	}
	content, err := part.Open(ctx)
	if err != nil {
		return fmt.Errorf("open %s: %w", partName, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	if err := put(&tar.Header{Name: "README.md", Mode: 0o600, Size: int64(len(about)), ModTime: m.Taken}, strings.NewReader(about)); err != nil {
		return err
	}
	return put(&tar.Header{Name: partName, Mode: 0o600, Size: part.Size, ModTime: m.Taken}, content)
}
