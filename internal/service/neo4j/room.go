package neo4j

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shirou/gopsutil/v4/disk"

	"upkeep/internal/service"
)

// storeDirectories are where a database has its files, below the data directory.
func storeDirectories(data, database string) []string {
	return []string{filepath.Join(data, "databases", database), filepath.Join(data, "transactions", database)}
}

// room refuses a dump for which the scratch disk may be too small, while the server
// still runs. A dump is packed, so it takes less than the files that it is made of.
// Where nobody can say what those take, nothing is wanted.
func (a *admin) room(ctx context.Context) error {
	need, err := a.stored(ctx)
	if err != nil {
		return nil
	}
	scratch, err := disk.UsageWithContext(ctx, a.dir)
	if err != nil {
		return fmt.Errorf("measure the scratch disk: %w", err)
	}
	if free := int64(scratch.Free); need > free {
		return &service.Fault{ID: "neo4j.no-room", Args: service.Args{"database": a.database, "need": need, "free": free, "path": filepath.Dir(a.dir)},
			Err: fmt.Errorf("a dump of %s needs up to %d bytes, %d are free at %s: %w", a.database, need, free, a.dir, service.ErrNoSpace)}
	}
	return nil
}

// storedHere adds up what files of this machine take on the disk, as du does. The
// server works meanwhile and may remove some, and its transactions may lie elsewhere.
func storedHere(dirs []string) (size int64, err error) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			var info fs.FileInfo
			if err == nil {
				info, err = d.Info()
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil {
				size += info.Sys().(*syscall.Stat_t).Blocks * 512
			}
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("measure the store: %w", err)
		}
	}
	return size, nil
}

// storedInside asks du in a container, which says how large the rest is when it did
// not find everything.
func storedInside(ctx context.Context, run func(context.Context, service.Cmd) error, dirs []string) (size int64, err error) {
	var said bytes.Buffer
	err = run(ctx, service.Cmd{Program: "du", Args: append([]string{"-sk"}, dirs...), Stdout: &said})
	if said.Len() == 0 {
		return 0, fmt.Errorf("measure the store: %w", errors.Join(err, service.ErrUnsupported))
	}
	for line := range strings.Lines(said.String()) {
		number, _, _ := strings.Cut(line, "\t")
		kib, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("measure the store: %w", err)
		}
		size += kib << 10
	}
	return size, nil
}
