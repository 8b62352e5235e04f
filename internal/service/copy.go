package service

import (
	"context"
	"io"
	"iter"
	"time"
)

// Part is one stream of a copy: a dump of a table, an object of a bucket, a file.
//
// Name is unique in its copy, may hold any bytes and never becomes a path. Parts
// come in ascending byte order of Name, in a snapshot and in a copy alike, so
// that two sets of any size are compared as streams, in constant memory.
type Part struct {
	Name     string
	Attrs    map[string]string // what the content does not hold: mode, owner, link target, metadata
	Size     int64             // of the content in bytes; -1 while unknown
	Identity string            // equal to that of the previous copy = content unchanged, not read again; empty = always read
	SHA256   string            // of the content, hex; filled in by whoever stored it, empty without content
	// Open reads the content. It is nil for a part that has none (a directory, a
	// link), safe for concurrent use between parts, and valid until the snapshot
	// or copy is closed. A reader that finds its source changed under it ends with
	// ErrChanged; the part is then opened once more. ErrNotFound, from Open or from
	// the reader, says that this one part has gone or cannot be read: it is left out
	// of the copy, and the snapshot names it in Manifest.Findings.
	Open func(ctx context.Context) (io.ReadCloser, error)
}

// Snapshot is one consistent view of a target while it is read. Parts are opened
// side by side by whoever stores them; each is read to its end or not at all.
type Snapshot interface {
	Parts(ctx context.Context) iter.Seq2[Part, error]
	// Manifest is complete once Parts is exhausted and every opened part is read.
	Manifest(ctx context.Context) (Manifest, error)
	Close() error
}

// Manifest says what a copy must contain: counts and digests of the very view
// that was copied. It is held in memory: an entry per table or database, some
// thousands at most. What exists by the million is a Part and has its own digest.
type Manifest struct {
	Taken    time.Time         `json:"taken"`              // of the view, by the source's own clock where it has one
	Until    time.Time         `json:"until,omitzero"`     // when reading ended, where the source gives no snapshot: the view is of no one moment; zero = it is of Taken
	Version  string            `json:"version"`            // of the source: "15.18"
	Identity string            `json:"identity"`           // as Identifier gives it; a scratch must differ from it
	Counts   map[string]int64  `json:"counts"`             // totals for people: tables, rows, keys, files, bytes
	Entries  []Entry           `json:"entries,omitempty"`  // ascending by Name
	Attrs    map[string]string `json:"attrs,omitempty"`    // what the kind needs for restoring: encoding, settings
	Findings []Finding         `json:"findings,omitempty"` // what the copy lacks: unreadable files, roles without passwords
}

// Entry is one countable thing of a manifest.
type Entry struct {
	Name   string            `json:"name"`
	Count  int64             `json:"count"`
	Digest string            `json:"digest,omitempty"` // order-independent, over the content
	Attrs  map[string]string `json:"attrs,omitempty"`
}

// Copy is what was stored of one target at one time, wherever that is. What
// restores, verifies or exports it knows no repository.
type Copy interface {
	Manifest() Manifest
	Parts(ctx context.Context) iter.Seq2[Part, error]
	// Part returns one part by its name, or an error wrapping ErrNotFound.
	Part(ctx context.Context, name string) (Part, error)
}
