package repository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob/filesystem"
	"github.com/kopia/kopia/repo/format"

	"upkeep/internal/service"
)

// Options say where a repository is and how it is opened.
type Options struct {
	Path     string // of the directory; it is made 0700
	Password string
	// CacheDir is a private directory for kopia's connection file, which names Path
	// and holds no secret. Empty = a temporary one, removed by Close.
	CacheDir string
	Now      func() time.Time // nil = time.Now
	Parallel int              // parts that are read or written side by side; 0 = 2
	Write    bool             // something will be written: one connection serves for that and for reading
}

// Repository is an open repository. Its methods may be called side by side.
type Repository struct {
	opt    Options
	dir    string // of the connection files
	reader *reading
	clock  *steadyClock

	mu     sync.Mutex
	writer repo.DirectRepository // opened by the first write
}

// How copies are stored. A pack is what one write to the disk carries and what
// each writer holds in memory; 10 MiB is the least that kopia accepts.
const (
	encryptionName = "AES256-GCM-HMAC-SHA256"
	hashName       = "BLAKE3-256-128"
	splitterName   = "DYNAMIC-1M-BUZHASH"
	compressorName = "zstd"
	packSize       = 10 << 20
)

// Create makes a repository in a new or empty directory and opens it. Where one
// exists the error is ErrExists; a directory that holds anything else is refused
// too (service.ErrRefused).
func Create(ctx context.Context, opt Options) (*Repository, error) {
	if err := claim(opt.Path); err != nil {
		return nil, err
	}
	st, err := filesystem.New(ctx, &filesystem.Options{Path: opt.Path}, true)
	if err != nil {
		return nil, fmt.Errorf("create repository %s: %w", opt.Path, writeError(err))
	}
	layout := &repo.NewRepositoryOptions{
		BlockFormat: format.ContentFormat{
			Encryption:        encryptionName,
			Hash:              hashName,
			MutableParameters: format.MutableParameters{MaxPackSize: packSize},
		},
		ObjectFormat: format.ObjectFormat{Splitter: splitterName},
	}
	err = errors.Join(repo.Initialize(ctx, st, layout, opt.Password), st.Close(ctx))
	if err != nil {
		return nil, fmt.Errorf("create repository %s: %w", opt.Path, writeError(err))
	}
	forgetDerivation()
	if err := saveFormat(opt.Path); err != nil {
		return nil, err
	}
	return Open(ctx, opt)
}

// claim makes the directory, private to its owner, and refuses one in use.
func claim(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make repository directory: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("look into repository directory: %w", err)
	}
	if _, err := os.Stat(formatFile(path)); err == nil {
		return fmt.Errorf("%s: %w", path, ErrExists)
	}
	for _, e := range entries {
		if e.Name() != "lost+found" && !unfinished(e.Name()) { // a new file system brings the first
			return &service.Fault{ID: "error.repository-occupied", Args: service.Args{"path": path, "name": e.Name()},
				Err: fmt.Errorf("%s holds %q and is no repository: %w", path, e.Name(), service.ErrRefused)}
		}
	}
	return errors.Join(clearUnfinished(path, entries), os.Chmod(path, 0o700))
}

// unfinished is what a Create leaves that was interrupted before there were keys, and so before
// there was anything to read with them. kopia writes NAME.tmp.RANDOM and renames it.
func unfinished(name string) bool {
	whole, _, half := strings.Cut(name, ".tmp.")
	return whole == ".shards" || whole == "kopia.blobcfg.f" || half && whole == "kopia.repository.f"
}

// clearUnfinished removes what is unfinished: kopia takes it for the rest of a damaged repository.
func clearUnfinished(path string, entries []os.DirEntry) (err error) {
	for _, e := range entries {
		if unfinished(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(path, e.Name())))
		}
	}
	return writeError(err)
}

// Open opens a repository for reading; the first write opens it for writing. The
// error wraps service.ErrNotFound where there is none, ErrPassword, or
// service.ErrDamaged.
func Open(ctx context.Context, opt Options) (*Repository, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Parallel <= 0 {
		opt.Parallel = 2
	}
	if err := exists(opt.Path); err != nil {
		return nil, err
	}
	dir, err := connectionDir(opt.CacheDir)
	if err != nil {
		return nil, err
	}
	r := &Repository{opt: opt, dir: dir, clock: &steadyClock{}}
	if err := r.connectAll(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open repository %s: %w", opt.Path, openError(opt.Path, err)), r.discard())
	}
	if err := r.setClock(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read the records of repository %s: %w", opt.Path, readError(err)), r.Close(ctx))
	}
	return r, nil
}

// connectAll opens for reading or, where that is wanted, for reading and writing.
// Deriving the keys takes a fifth of a second and 64 MiB, so it is done once.
func (r *Repository) connectAll(ctx context.Context) error {
	if r.opt.Write {
		if w, err := r.write(ctx); err == nil {
			r.reader, err = newReading(ctx, w)
			return err
		} // the first write tries again and says why it fails
	}
	connection, err := r.connect(ctx, readOnly)
	if err != nil {
		return err
	}
	r.reader, err = newReading(ctx, connection)
	return err
}

// exists tells no repository from one that has lost the file with its keys.
func exists(path string) error {
	_, err := os.Stat(formatFile(path))
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open repository: %w", err)
	}
	if _, err := os.Stat(formatCopy(path)); err == nil {
		return formatFault(path)
	}
	return fmt.Errorf("no repository at %s: %w", path, service.ErrNotFound)
}

// Close releases the repository. Point writers must be closed before.
func (r *Repository) Close(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.reader.Close(ctx)
	if r.writer != nil && r.writer != r.reader.DirectRepository {
		err = errors.Join(err, r.writer.Close(ctx))
	}
	r.writer = nil
	return errors.Join(err, r.discard())
}

func (r *Repository) discard() error {
	if r.opt.CacheDir != "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}

func connectionDir(wanted string) (string, error) {
	if wanted == "" {
		return os.MkdirTemp("", "upkeep-repository-")
	}
	if err := os.MkdirAll(wanted, 0o700); err != nil {
		return "", fmt.Errorf("make directory for the repository connection: %w", err)
	}
	return filepath.Abs(wanted)
}
