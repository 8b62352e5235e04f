package dataset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

const scratchPurpose = "tables"

// store is what lies in the directory now, as tables of a database that can reach
// nothing else. What cannot be read is a finding and left out.
type store struct {
	in      *Instance
	cfg     Config
	db      *tables.DB
	found   map[string][]string         // files of each table, paths
	asked   map[string]bool             // tables that can be asked
	partial map[string]bool             // of them, those of which something could not be read
	misfits map[string]map[string]int64 // values by table and column that its type cannot hold
	created map[string]string           // what documents say of when they were made
	states  map[string]state            // of the files of the tables, when they were looked for
	faults  map[string]*document.Fault  // of documents that are broken
	scratch string                      // directory for what is larger than memory
	how     how
	close   func() error
}

// how says how much of a store is read.
type how struct {
	budget int64             // bytes of tables; negative = any number
	brief  bool              // the budget is read_at_check
	pages  bool              // compare the checksums of all pages, too
	only   func(string) bool // tables that are asked; nil = all
	// instead are files that are read in the place of others: paths, by paths below the store.
	instead map[string]string
	// broken documents give the rows before their fault, too.
	broken bool
	memory memory // the zero value is the usual
	beside bool   // read the columns that only convert reads, too
	// writes is the one file that may be written; branches is the table of whose document every
	// level is listed.
	writes, branches string
}

// open lists the files, starts the database and makes a table of everything that can be
// read. The verdict gets what cannot.
func (in *Instance) open(ctx context.Context, how how, v *service.Verdict) (*store, error) {
	if _, err := os.ReadDir(in.dir); err != nil {
		return nil, unreadable(in.dir, err)
	}
	cfg, unknown, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	v.Findings = append(v.Findings, unknown...)
	if how.beside {
		cfg = cfg.wider()
	}
	if how.brief {
		how.budget = int64(cfg.ReadAtCheck)
	}
	s := &store{in: in, cfg: cfg, found: map[string][]string{}, asked: map[string]bool{},
		partial: map[string]bool{}, created: map[string]string{}, faults: map[string]*document.Fault{}, misfits: map[string]map[string]int64{}, states: map[string]state{}, how: how}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(s.readFiles(ctx, v), s.readDocuments(ctx, v)); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func unreadable(dir string, err error) error {
	return &service.Fault{ID: "dataset.no-directory", Args: service.Args{"dir": dir}, Err: fmt.Errorf("look into %s: %w: %w", dir, err, service.ErrUnreachable)}
}

func (s *store) start(ctx context.Context) error {
	reachable := []string{s.how.writes}
	for name, t := range s.cfg.Tables {
		found, err := s.in.find(t.Files)
		if err != nil {
			return err
		}
		more, err := s.in.find(t.Increments.Files)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			found = s.drafted(t.Files)
		}
		for i := range found {
			found[i] = s.file(s.in.within(found[i]))
		}
		s.found[name] = found
		reachable = slices.Concat(reachable, found, more)
		if t.Document != "" {
			found = []string{s.in.path(t.Document)}
		}
		for _, path := range slices.Concat(found, more) {
			if s.states[path], err = stateOf(path); err != nil {
				delete(s.states, path) // what is not there does not move
			}
		}
	}
	scratch, remove, err := s.in.env.Dir(scratchPurpose)
	if err != nil {
		return fmt.Errorf("make room for tables: %w", err)
	}
	s.scratch = scratch
	s.db, err = tables.Open(ctx, tables.Limits{Scratch: scratch, Memory: s.how.memory.bytes, Threads: s.how.memory.threads}, append(reachable, asideIn(scratch)), nil)
	if err != nil {
		return errors.Join(err, remove())
	}
	s.close = func() error { return errors.Join(s.db.Close(), remove()) }
	return nil
}

// file is what is read for a path below the store.
func (s *store) file(name string) string {
	if other := s.how.instead[name]; other != "" {
		return other
	}
	return s.in.path(name)
}

// find lists files by patterns, sorted, each once.
func (in *Instance) find(patterns []string) (paths []string, err error) {
	for _, pattern := range patterns {
		names, err := doublestar.Glob(os.DirFS(in.dir), filepath.ToSlash(filepath.Clean(pattern)), doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look for %s in %s: %w", pattern, in.dir, err)
		}
		for _, name := range names {
			if !ours(name) {
				paths = append(paths, in.path(name))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// affords takes bytes out of the budget.
func (s *store) affords(bytes int64) bool {
	if s.how.budget < 0 {
		return true
	}
	if bytes > s.how.budget {
		return false
	}
	s.how.budget -= bytes
	return true
}

// unread says that a check has not judged what is too large for it.
func (s *store) unread(subject string, bytes int64, v *service.Verdict) {
	v.Unsure("dataset.not-read", subject, service.Args{"what": subject, "bytes": bytes, "limit": int64(s.cfg.ReadAtCheck), "target": s.in.env.Target})
}

// wants reports whether a table is asked.
func (s *store) wants(name string) bool { return s.how.only == nil || s.how.only(name) }
