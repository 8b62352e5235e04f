package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

const (
	// keptIn is the directory of a store that holds the originals of files that were
	// replaced. Nothing below it is of any table.
	keptIn = ".upkeep"
	// draftOf begins the name of a file that is being written beside the one that it will
	// replace.
	draftOf = ".upkeep-draft-"
)

// ours reports whether a path below the store is of upkeep itself.
func ours(name string) bool {
	for part := range strings.SplitSeq(filepath.ToSlash(name), "/") {
		if part == keptIn || strings.HasPrefix(part, draftOf) {
			return true
		}
	}
	return false
}

// state is which file stands at a path, and as what.
type state struct {
	Node uint64 `json:"node"`
	Size int64  `json:"size"`
	Time int64  `json:"time"` // of its last change, in nanoseconds
}

func stateOf(path string) (s state, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("look at %s: %w: %w", path, err, service.ErrNotFound)
	}
	if err != nil {
		return s, fmt.Errorf("look at %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return s, fmt.Errorf("%s is no plain file but %s: %w", path, info.Mode().Type(), service.ErrUnsupported)
	}
	return state{info.Sys().(*syscall.Stat_t).Ino, info.Size(), info.ModTime().UnixNano()}, nil
}

// replaced is a file that gave its place to another one.
type replaced struct {
	Path string `json:"path"` // of both, below the store
	Kept string `json:"kept"` // where the original is now
	Was  state  `json:"was"`
	Is   state  `json:"is"`
}

// keep gives a file a second name among the originals, and returns it, below the store. A
// file that is there already keeps its name.
func (in *Instance) keep(path string) (kept string, err error) {
	is, err := stateOf(path)
	if err != nil {
		return "", err
	}
	if kept := in.keptState(is); kept != "" {
		return kept, nil
	}
	return in.named(path, os.Link)
}

// named gives a file a name among the originals.
func (in *Instance) named(path string, as func(path, kept string) error) (kept string, err error) {
	dir := in.path(keptIn)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make room for the original of %s: %w", path, err)
	}
	name := in.env.Now().UTC().Format("20060102T150405") + "-" + strings.ReplaceAll(in.within(path), string(filepath.Separator), "-")
	for n := 0; ; n++ {
		kept := filepath.Join(keptIn, name)
		if n > 0 {
			kept = filepath.Join(keptIn, fmt.Sprintf("%d-%s", n, name))
		}
		if err := as(path, in.path(kept)); !errors.Is(err, fs.ErrExist) {
			return kept, errors.Join(err, synced(dir))
		}
	}
}

// keptState finds the original that was a file in that state.
func (in *Instance) keptState(was state) string {
	entries, err := os.ReadDir(in.path(keptIn))
	if err != nil {
		return ""
	}
	for _, e := range entries {
		kept := filepath.Join(keptIn, e.Name())
		if is, err := stateOf(in.path(kept)); err == nil && is == was {
			return kept
		}
	}
	return ""
}

// replace puts a finished draft in the place of the file that was planned for, and keeps
// that one. A file that somebody changed or replaced meanwhile stays.
func (in *Instance) replace(path, draft string, was state) (done replaced, err error) {
	if now, err := stateOf(path); err != nil || now != was {
		return done, changed(path, err)
	}
	is, err := stateOf(draft)
	if err != nil {
		return done, err
	}
	kept, err := in.keep(path)
	if err != nil {
		return done, fmt.Errorf("keep the original of %s: %w", path, err)
	}
	if err := exchange(path, draft, was); err != nil {
		return done, errors.Join(err, os.Remove(in.path(kept)))
	}
	return replaced{Path: in.within(path), Kept: kept, Was: was, Is: is}, synced(filepath.Dir(path))
}

// exchange swaps the two in one move, looks at what came out and gives it back where it is
// another one: between a look and a rename somebody could have saved. The draft's name is gone
// afterwards.
func exchange(path, draft string, was state) error {
	own, err := stateOf(draft)
	if err != nil {
		return err
	}
	err = swap(draft, path)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return os.Rename(draft, path) // a file system that cannot swap
	}
	if err != nil {
		return fmt.Errorf("put %s in its place: %w", path, err)
	}
	out, err := stateOf(draft)
	if err == nil && out == was {
		return os.Remove(draft) // it has its other name
	}
	return errors.Join(changed(path, err), giveBack(path, draft, own, out))
}

// giveBack puts what came out of a swap where it was, as long as what it takes the place of
// is what was put there before: else somebody has saved once more, and that is the newest.
func giveBack(path, draft string, put, out state) error {
	for {
		if err := swap(draft, path); err != nil {
			return fmt.Errorf("give %s back: %w", path, err)
		}
		was, err := stateOf(draft)
		if err != nil || was.Node == put.Node {
			return err
		}
		put, out = out, was
	}
}

// swap lets two files change their names.
func swap(a, b string) error {
	return unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}

func changed(path string, err error) error {
	if err == nil {
		err = errors.New("it is not the file that was planned for")
	}
	return fmt.Errorf("%s: %w: %w", path, err, service.ErrStale)
}

// undoReplace brings an original back, as long as nobody changed what took its place.
func (in *Instance) undoReplace(_ context.Context, done json.RawMessage) ([]service.Step, error) {
	var r replaced
	if err := json.Unmarshal(done, &r); err != nil || r.Kept == "" {
		return nil, fmt.Errorf("read what was done: %w", errors.Join(err, service.ErrUnsupported))
	}
	return []service.Step{step(opBringBack, service.Reversible, r.Path, r,
		service.Message{ID: opBringBack, Args: service.Args{"path": r.Path, "kept": r.Kept}})}, nil
}

// bringBack does it, under the writers' locks. A file that is back already is done.
func (in *Instance) bringBack(ctx context.Context, s service.Step, _ service.Report) (o service.Outcome, err error) {
	r, err := argsOf[replaced](s)
	if err != nil {
		return o, err
	}
	err = in.locked(ctx, false, func() error { return in.back(r) })
	return o, in.full(err)
}

func (in *Instance) back(r replaced) error {
	path := in.path(r.Path)
	now, err := stateOf(path)
	if err == nil && now == r.Was {
		return nil
	}
	if kept, lost := stateOf(in.path(r.Kept)); err != nil || now != r.Is || lost != nil || kept != r.Was {
		return changed(path, errors.Join(err, lost))
	}
	return errors.Join(exchange(path, in.path(r.Kept), r.Is), synced(filepath.Dir(path)))
}

// full gives a full disk words of its own.
func (in *Instance) full(err error) error {
	if err == nil || !tables.Full(err) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EDQUOT) {
		return err
	}
	return &service.Fault{ID: "dataset.no-space", Args: service.Args{"dir": in.dir}, Err: fmt.Errorf("%w: %w", err, service.ErrNoSpace)}
}

// synced has the kernel write a directory to the disk: the names in it.
func synced(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
