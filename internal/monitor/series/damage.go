package series

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
)

// Prometheus' storage mends a damaged log by deleting what comes after the damage, and does
// not open over a damaged block. Here both are set aside, and it opens.

const (
	logDir  = "wal"
	headDir = "chunks_head"
)

func makeDirs(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, memoryDir), 0o700); err != nil {
		return fmt.Errorf("make the directory of samples: %w", err)
	}
	return nil
}

// openDisk opens what is on disk, whatever is damaged.
func openDisk(opt Options, l *losses) (*place, error) {
	setAsideUnreadable(opt.Dir, l)
	kept, err := keepLinks(opt.Dir, l)
	if err != nil {
		return nil, err
	}
	p, err := tryDisk(opt)
	if err != nil && setAsideBlocks(opt, l, err) {
		p, err = tryDisk(opt)
	}
	if err != nil {
		if err = kept.setAsideLog(err); err == nil {
			p, err = tryDisk(opt)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the samples in %s: %w", opt.Dir, err)
	}
	kept.settle(l, p.disk)
	return p, nil
}

func tryDisk(opt Options) (*place, error) {
	registry := prometheus.NewRegistry()
	db, err := tsdb.Open(opt.Dir, quiet(opt.Log, "samples"), registry, diskOptions(opt), nil)
	if err != nil {
		return nil, err
	}
	return &place{disk: db, registry: registry}, nil
}

func blockDirs(dir string) (found []string) {
	entries, _ := os.ReadDir(dir) // a directory that cannot be read fails where it is opened
	for _, e := range entries {
		if _, err := ulid.ParseStrict(e.Name()); err == nil && e.IsDir() {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found
}

// setAsideUnreadable takes away blocks whose own description cannot be read: Prometheus
// passes over them in silence.
func setAsideUnreadable(dir string, l *losses) {
	for _, block := range blockDirs(dir) {
		if _, err := metaOf(block); err != nil {
			moveBlock(block, l, Loss{What: BlockDamaged, Why: err.Error()})
		}
	}
}

// setAsideBlocks takes away blocks that do not open.
func setAsideBlocks(opt Options, l *losses, why error) (moved bool) {
	for _, dir := range blockDirs(opt.Dir) {
		b, err := tsdb.OpenBlock(opt.Log, dir, nil, nil)
		if err == nil {
			_ = b.Close() // was only read
			continue
		}
		meta, _ := metaOf(dir) // was readable before
		moved = moveBlock(dir, l, Loss{What: BlockDamaged, Why: errors.Join(err, why).Error(),
			From: time.UnixMilli(meta.MinTime), To: time.UnixMilli(meta.MaxTime)}) || moved
	}
	return moved
}

func metaOf(block string) (meta tsdb.BlockMeta, err error) {
	text, err := os.ReadFile(filepath.Join(block, "meta.json"))
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return meta, fmt.Errorf("read %s: %w", filepath.Join(block, "meta.json"), err)
	}
	return meta, nil
}

func moveBlock(block string, l *losses, loss Loss) bool {
	aside, err := l.aside("block")
	if err == nil {
		err = os.Rename(block, filepath.Join(aside, filepath.Base(block)))
	}
	if err != nil {
		l.log.Error("damaged block not set aside", "block", block, "error", err)
		return false
	}
	loss.Path = aside
	l.keep(loss)
	return true
}

// links are second names of the files of the log, so that mending it deletes nothing.
type links struct{ dir, aside, why string }

func keepLinks(dir string, l *losses) (*links, error) {
	aside, err := l.aside("log")
	if err != nil {
		return nil, fmt.Errorf("make room for damaged samples: %w", err)
	}
	k := &links{dir, aside, "mended by leaving out what comes after the damage"}
	for _, part := range []string{logDir, headDir} {
		if err := k.link(part); err != nil {
			l.log.Warn("log cannot be kept if it is damaged", "error", err) // a file system without links
		}
	}
	return k, nil
}

func (k *links) link(part string) error {
	return filepath.WalkDir(filepath.Join(k.dir, part), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name := filepath.Join(k.aside, strings.TrimPrefix(path, k.dir))
		if e.IsDir() {
			return os.MkdirAll(name, 0o700)
		}
		return os.Link(path, name)
	})
}

// setAsideLog takes away what is left of the log, where even mending it has failed.
func (k *links) setAsideLog(why error) (failed error) {
	k.why = why.Error()
	for _, part := range []string{logDir, headDir} {
		err := os.Rename(filepath.Join(k.dir, part), filepath.Join(k.aside, "left-"+part))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		return errors.Join(why, failed)
	}
	return nil
}

// settle drops the links whose file is still there, and tells of the others: their content
// is what mending has taken away.
func (k *links) settle(l *losses, db *tsdb.DB) {
	loss := Loss{Path: k.aside, Why: k.why}
	_ = filepath.WalkDir(k.aside, func(path string, e fs.DirEntry, err error) error { // is a directory of ours
		if err != nil || e.IsDir() {
			return nil
		}
		was, err := e.Info()
		if err != nil {
			return nil
		}
		name := strings.TrimPrefix(path, k.aside)
		if now, err := os.Stat(filepath.Join(k.dir, name)); (err == nil && os.SameFile(was, now)) || was.Size() == 0 {
			return os.Remove(path)
		}
		loss.What = map[bool]string{true: HeadDamaged, false: LogDamaged}[strings.HasPrefix(name, "/"+headDir) && loss.What != LogDamaged]
		loss.To = later(loss.To, was.ModTime())
		return nil
	})
	if loss.What == "" {
		_ = os.RemoveAll(k.aside) // empty by now
		return
	}
	if newest := db.Head().MaxTime(); loss.What == LogDamaged && newest > 0 {
		loss.From = time.UnixMilli(newest)
	}
	l.keep(loss)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
