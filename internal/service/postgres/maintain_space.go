package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// dataDirectory is where the server keeps its data, if that is on this machine and
// provably the server's own: a container may show a path that is another one here.
// known is false where it cannot be told, which hinders nothing.
func dataDirectory(ctx context.Context, conn *pgx.Conn, system string) (path string, known bool) {
	path, err := value[string](ctx, conn, "SELECT current_setting('data_directory')")
	if err != nil {
		return "", false // only some roles may read it
	}
	control, err := os.Open(filepath.Join(path, "global", "pg_control"))
	if err != nil {
		return "", false
	}
	defer func() { _ = control.Close() }() // it was only read
	var head [8]byte                       // the system identifier, in the machine's own byte order
	if _, err := io.ReadFull(control, head[:]); err != nil {
		return "", false
	}
	return path, strconv.FormatUint(binary.NativeEndian.Uint64(head[:]), 10) == system
}

// room wants as much free space as the index takes: both stand side by side until
// the new one is complete. Where the disk cannot be seen, nothing is wanted.
func (c *caring) room(ctx context.Context, i indexState) error {
	system, err := value[string](ctx, c.conn, "SELECT system_identifier::text FROM pg_control_system()")
	if err != nil {
		return fmt.Errorf("identify the server: %w", err)
	}
	path, known := dataDirectory(ctx, c.conn, system)
	if !known {
		return nil
	}
	if i.Space != 0 {
		path = filepath.Join(path, "pg_tblspc", strconv.FormatUint(uint64(i.Space), 10))
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(path, &disk); err != nil {
		return fmt.Errorf("measure the disk of %s: %w", path, err)
	}
	free := int64(disk.Bavail) * int64(disk.Bsize)
	c.verdict.Set("free_bytes", free)
	if free < i.Bytes {
		return fmt.Errorf("index %s takes %d bytes once more while it is built, %d are free at %s: %w",
			i.Label, i.Bytes, free, path, service.ErrNoSpace)
	}
	return nil
}
