package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/write"
)

// Export writes an answer of one target as a file.
type Export struct {
	Target    inventory.Target
	Statement string
	File      string
	Force     bool // a file of that name is replaced
	Options   write.Options
}

// Exported is what became of it.
type Exported struct {
	Rows, Bytes int64
	write.Done
}

// Everything is the statement for a whole table.
func Everything(table string) string { return "SELECT * FROM " + tables.Name(table) }

// Write makes the file, readable by its owner only. It appears under its name only when it
// is whole: read back in its format, with as many rows as were written.
func (e Export) Write(ctx context.Context, r service.Report) (done Exported, err error) {
	if write.FormatOf(e.File) == "" {
		return done, e.fault("unknown-format", service.ErrUnsupported, nil)
	}
	if err := e.free(); err != nil {
		return done, err
	}
	in, err := e.Target.Open()
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if holder, is := in.(service.Holder); is && holder.Holds(e.File) {
		return done, e.fault("into-itself", service.ErrRefused, service.Args{"target": e.Target.Name})
	}
	queryer, err := service.As[service.Queryer](in)
	if err != nil {
		return done, err
	}
	return e.file(ctx, queryer, r)
}

// free looks whether the name can be taken. Only a file is ever replaced: no link, no device.
func (e Export) free() error {
	info, err := os.Lstat(e.File)
	switch {
	case err != nil: // making the file says why, if that is wrong
		return nil
	case !info.Mode().IsRegular():
		return e.fault("no-file", service.ErrRefused, nil)
	case !e.Force:
		return e.fault("file-exists", service.ErrRefused, nil)
	}
	return nil
}

func (e Export) fault(id string, cause error, args service.Args) error {
	all := service.Args{"file": e.File}
	for name, value := range args {
		all[name] = value
	}
	return &service.Fault{ID: "data." + id, Args: all, Err: fmt.Errorf("export to %s: %w", e.File, cause)}
}

func (e Export) file(ctx context.Context, from service.Queryer, r service.Report) (done Exported, err error) {
	f, err := os.CreateTemp(filepath.Dir(e.File), ".upkeep-export-*")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return done, e.fault("no-folder", service.ErrNotFound, nil)
	case err != nil:
		return done, fmt.Errorf("make the file: %w", err)
	}
	done, err = e.content(ctx, from, f, r)
	if info, statErr := os.Stat(f.Name()); statErr == nil {
		done.Bytes = info.Size()
	}
	if err == nil {
		err = e.readBack(ctx, f.Name(), done.Rows)
	}
	if err == nil {
		err = e.name(f.Name())
	}
	if err != nil {
		return done, errors.Join(err, os.Remove(f.Name()))
	}
	return done, nil
}

// content writes the rows and closes the file.
func (e Export) content(ctx context.Context, from service.Queryer, f *os.File, r service.Report) (done Exported, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	w, err := write.New(ctx, write.FormatOf(e.File), f, e.Options)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if done.Rows, err = e.rows(ctx, from, w, r); err != nil {
		return done, e.unfit(err)
	}
	if done.Done, err = w.Finish(ctx); err != nil {
		return done, e.unfit(err)
	}
	return done, onDisk(f.Name())
}

// onDisk opens the file anew: DuckDB has written through a handle of its own.
func onDisk(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// tell is after how many rows progress is told.
const tell = 1024

func (e Export) rows(ctx context.Context, from service.Queryer, w write.Writer, r service.Report) (n int64, err error) {
	bytes := int64(0)
	for row, err := range from.Query(ctx, e.Statement) {
		if err == nil && n == 0 {
			err = w.Head(ctx, named(row))
		}
		if err == nil {
			err = w.Row(row.Values)
		}
		if err != nil {
			return n, err
		}
		n++
		if bytes += size(row.Values); n%tell == 0 {
			r.Add(bytes, 0)
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, e.headOnly(ctx, from, w)
}

// headOnly names the columns of an answer without rows, where the target can tell them.
func (e Export) headOnly(ctx context.Context, from service.Queryer, w write.Writer) error {
	describer, is := from.(service.Describer)
	if !is {
		return nil
	}
	columns, err := describer.Columns(ctx, e.Statement)
	if err != nil {
		return err
	}
	return w.Head(ctx, columns)
}

// named are the columns of a row; a statement may leave them without names.
func named(row service.Row) []string {
	names := row.Columns
	for i := len(names); i < len(row.Values); i++ {
		names = append(names[:i:i], "column"+strconv.Itoa(i+1))
	}
	return names
}

// size is about what the values of a row weigh, for progress.
func size(values []any) (n int64) {
	for _, v := range values {
		if s, is := v.(string); is {
			n += int64(len(s))
		} else {
			n += 8
		}
	}
	return n
}

// unfit gives words to what a format cannot hold.
func (e Export) unfit(err error) error {
	for of, id := range map[error]string{write.ErrNoText: "no-text", write.ErrTooLong: "too-long", write.ErrCharacter: "no-character",
		write.ErrTooWide: "too-wide", write.ErrTwice: "column-twice", write.ErrNoColumns: "no-columns"} {
		if !errors.Is(err, of) {
			continue
		}
		args := service.Args{"file": e.File, "row": int64(0), "column": ""}
		var at *write.CellError
		if errors.As(err, &at) {
			args["row"], args["column"] = at.Row, at.Column
		}
		return &service.Fault{ID: "data." + id, Args: args, Err: fmt.Errorf("export to %s: %w: %w", e.File, err, service.ErrRefused)}
	}
	return err
}

func (e Export) readBack(ctx context.Context, path string, want int64) error {
	rows, err := write.Count(ctx, write.FormatOf(e.File), path)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil && rows == want {
		return nil
	}
	return &service.Fault{ID: "data.read-back", Args: service.Args{"file": e.File, "rows": rows, "want": want},
		Err: errors.Join(fmt.Errorf("read back %d of %d rows: %w", rows, want, service.ErrDamaged), err)}
}

// name gives the file its name.
func (e Export) name(path string) error {
	err := e.take(path)
	switch {
	case errors.Is(err, unix.EEXIST):
		return e.fault("file-exists", service.ErrRefused, nil)
	case err != nil:
		return fmt.Errorf("name the file: %w", err)
	}
	return onDisk(filepath.Dir(e.File))
}

// take renames. Without Force no other file loses the name, also none that came meanwhile.
func (e Export) take(path string) error {
	if e.Force {
		return os.Rename(path, e.File)
	}
	err := unix.Renameat2(unix.AT_FDCWD, path, unix.AT_FDCWD, e.File, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := os.Link(path, e.File); err != nil { // a file system that cannot rename like that
		return err
	}
	return os.Remove(path)
}
