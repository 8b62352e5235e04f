package corpus

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// LogFiles is a directory of log files of many programs.
type LogFiles struct {
	Seed  uint64
	Files int
	Bytes int64 // of all files together, to a line
}

func (l LogFiles) path(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("app-%04d.log", n))
}

// Write makes the files in dir, which must exist.
func (l LogFiles) Write(dir string) error {
	return l.each(dir, l.Files, l.Bytes, 0)
}

// Grow adds so many bytes to the first files of dir, spread evenly. undo takes them away.
func (l LogFiles) Grow(dir string, files int, bytes int64) (undo func() error, err error) {
	sizes := make([]int64, files)
	for n := range sizes {
		info, err := os.Stat(l.path(dir, n))
		if err != nil {
			return nil, fmt.Errorf("look at a log: %w", err)
		}
		sizes[n] = info.Size()
	}
	undo = func() error {
		var errs []error
		for n, size := range sizes {
			errs = append(errs, os.Truncate(l.path(dir, n), size))
		}
		return errors.Join(errs...)
	}
	return undo, l.each(dir, files, bytes, 1)
}

func (l LogFiles) each(dir string, files int, bytes int64, part uint64) error {
	systems, err := LogSystems()
	if err != nil {
		return err
	}
	for n := range files {
		if err := appendLog(l.path(dir, n), systems[n%len(systems)], l.Seed+uint64(n)<<8+part, bytes/int64(files)); err != nil {
			return fmt.Errorf("write a log: %w", err)
		}
	}
	return nil
}

// appendLog adds lines until there are so many bytes. A line has a time, a level, which
// belongs to its form, and a message.
func appendLog(path string, s LogSystem, seed uint64, bytes int64) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 256<<10)
	at, buffer := base, make([]byte, 0, 1024)
	for form, message := range s.Messages(seed, int(bytes)) { // every line has a byte at least
		at = at.Add(250 * time.Millisecond)
		buffer = at.AppendFormat(buffer[:0], "2006-01-02 15:04:05.000 ")
		buffer = append(append(append(buffer, levelOf(form)...), message...), '\n')
		_, _ = out.Write(buffer) // keeps its first error for Flush
		if bytes -= int64(len(buffer)); bytes <= 0 {
			break
		}
	}
	return errors.Join(out.Flush(), file.Close())
}

func levelOf(form int) string {
	switch form % 20 {
	case 0:
		return "ERROR "
	case 1, 2:
		return "WARNING "
	}
	return "INFO "
}
