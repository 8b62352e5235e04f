package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/kopia/kopia/fs"
	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"upkeep/internal/service"
)

// PointWriter makes one restore point. Its targets may be stored side by side.
type PointWriter struct {
	repo   *Repository
	header Header
	unlock func() error

	mu     sync.Mutex
	copies map[string]copyRecord
}

// Begin starts a point, or goes on with an unsealed one of the same ID after a
// kill: then what it had stored is in Stored, and its first header holds. It is
// refused (service.ErrRefused) for a sealed point, and busy (service.ErrBusy)
// while maintenance runs.
func (r *Repository) Begin(ctx context.Context, h Header) (*PointWriter, error) {
	if h.ID == "" || h.System == "" || h.ID == latest {
		return nil, fmt.Errorf("a point needs an ID and a system: %w", service.ErrRefused)
	}
	if h.Reason == "" {
		h.Reason = ReasonBackup
	}
	unlock, err := r.lock(shared)
	if err != nil {
		return nil, err
	}
	w := &PointWriter{repo: r, header: h, unlock: unlock, copies: map[string]copyRecord{}}
	if err := w.begin(ctx); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return w, nil
}

func (w *PointWriter) begin(ctx context.Context) error {
	all, err := w.repo.all(ctx)
	if err != nil {
		return err
	}
	old := all[w.header.ID]
	switch {
	case old == nil:
		return w.repo.change(ctx, "begin point", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
			_, err := k.PutManifest(ctx, label(roleBegun, w.header.ID), begun{Header: w.header, At: w.repo.opt.Now()})
			return err
		})
	case old.sealed != nil:
		return fmt.Errorf("point %s is complete: %w", w.header.ID, service.ErrRefused)
	case old.begun == nil || old.begun.System != w.header.System:
		return fmt.Errorf("point %s belongs to another system: %w", w.header.ID, service.ErrRefused)
	}
	w.header = old.begun.Header
	w.copies = old.copies
	return nil
}

// Stored lists the targets that the point holds, by name.
func (w *PointWriter) Stored() []TargetCopy {
	var list []TargetCopy
	for _, c := range w.records() {
		list = append(list, c.TargetCopy)
	}
	return list
}

func (w *PointWriter) records() []copyRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.copies), func(a, b copyRecord) int { return strings.Compare(a.Target, b.Target) })
}

// Close ends the writing. An unsealed point stays as it is and shows as
// incomplete.
func (w *PointWriter) Close(context.Context) error { return w.unlock() }

// Store copies one snapshot and leaves closing it to the caller. A part whose
// identity is that of the newest stored copy of the target is not opened. A
// target that the point holds already is replaced. The error wraps
// service.ErrNoSpace on a full disk; nothing that was complete is touched.
func (w *PointWriter) Store(ctx context.Context, target, kind string, snap service.Snapshot, opt StoreOptions, report service.Report) (TargetCopy, error) {
	k, err := w.repo.write(ctx)
	if err != nil {
		return TargetCopy{}, err
	}
	if err := k.Refresh(ctx); err != nil {
		return TargetCopy{}, readError(err)
	}
	var uploaded atomic.Int64
	_, session, err := k.NewDirectWriter(ctx, repo.WriteSessionOptions{
		Purpose: "store " + target, OnUpload: func(n int64) { uploaded.Add(n) },
	})
	if err != nil {
		return TargetCopy{}, writeError(err)
	}
	s := &storing{
		w: session, parallel: w.repo.opt.Parallel, limit: opt.Limit,
		progress: &progress{report: report, total: opt.Total}, pages: newPageWriter(session),
	}
	stored, err := w.store(ctx, s, target, kind, snap, &uploaded)
	if err != nil && !errors.Is(writeError(err), service.ErrNoSpace) {
		// What was stored before the failure need not be stored again.
		err = errors.Join(err, session.Flush(context.WithoutCancel(ctx)))
	}
	err = writeError(errors.Join(err, session.Close(ctx)))
	if err != nil {
		return TargetCopy{}, fmt.Errorf("store %s: %w", target, err)
	}
	w.mu.Lock()
	w.copies[target] = stored
	w.mu.Unlock()
	return stored.TargetCopy, w.repo.refresh(ctx)
}

func (w *PointWriter) store(ctx context.Context, s *storing, target, kind string, snap service.Snapshot, uploaded *atomic.Int64) (copyRecord, error) {
	older, err := w.repo.older(ctx, w.header, target, kind)
	if err != nil {
		return copyRecord{}, err
	}
	s.prev = newPrevious(ctx, w.repo.reader, older)
	if err := s.run(ctx, snap); err != nil {
		return copyRecord{}, err
	}
	m, err := snap.Manifest(ctx)
	if err != nil {
		return copyRecord{}, fmt.Errorf("read the manifest of the snapshot: %w", err)
	}
	root, contents, err := s.pages.finish(ctx, target, m)
	if err != nil {
		return copyRecord{}, err
	}
	if err := s.w.Flush(ctx); err != nil {
		return copyRecord{}, err
	}
	record := copyRecord{TargetCopy: s.describe(target, kind, m), Root: root.ObjectID.String(), Contents: contents}
	record.AddedBytes = uploaded.Load()
	if record.Taken.IsZero() {
		record.Taken = w.header.Taken
	}
	return record, w.save(ctx, s.w, record, root)
}

func (s *storing) describe(target, kind string, m service.Manifest) TargetCopy {
	light := m
	light.Entries = nil
	return TargetCopy{
		Target: target, Kind: kind, Taken: m.Taken, Until: m.Until, Bytes: s.pages.bytes, Parts: s.pages.parts, Carried: s.carried,
		SHA256: s.pages.sum(), Counts: m.Counts, Manifest: light, Findings: s.torn,
	}
}

// save writes the record and kopia's snapshot of one copy together, in place of
// an earlier copy of the target in this point.
func (w *PointWriter) save(ctx context.Context, k repo.DirectRepositoryWriter, c copyRecord, root *snapshot.DirEntry) error {
	labels := label(roleCopy, w.header.ID)
	labels[targetLabel] = c.Target
	earlier := []map[string]string{labels, {typeLabel: snapshot.ManifestType, pointTag: w.header.ID, targetTag: c.Target}}
	for _, l := range earlier {
		if err := deleteAll(ctx, k, l); err != nil {
			return err
		}
	}
	if err := w.saveSnapshot(ctx, k, c.Target, root); err != nil {
		return err
	}
	if _, err := k.PutManifest(ctx, labels, c); err != nil {
		return err
	}
	return k.Flush(ctx)
}

func (w *PointWriter) saveSnapshot(ctx context.Context, k repo.RepositoryWriter, name string, root *snapshot.DirEntry) error {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	_, err = snapshot.SaveSnapshot(ctx, k, &snapshot.Manifest{
		Source:    snapshot.SourceInfo{Host: host, UserName: userName, Path: "/" + escapeName(w.header.System) + "/" + escapeName(name)},
		StartTime: fs.UTCTimestampFromTime(w.header.Taken),
		EndTime:   fs.UTCTimestampFromTime(w.repo.opt.Now()),
		RootEntry: root,
		Tags:      map[string]string{pointTag: w.header.ID, targetTag: name},
		Pins:      []string{userName}, // else stock kopia's retention could expire it
	})
	return err
}

// declarationName is the snapshot that holds the declaration. No target can have
// it: it is no name of a service.
const declarationName = "(declaration)"

// Seal makes the point complete and its files last through a power cut.
func (w *PointWriter) Seal(ctx context.Context, d Declaration, journalHead string) (Point, error) {
	copies := w.records()
	if len(copies) == 0 {
		return Point{}, fmt.Errorf("point %s holds no target: %w", w.header.ID, service.ErrRefused)
	}
	err := w.repo.change(ctx, "seal point", func(ctx context.Context, k repo.DirectRepositoryWriter) error {
		files, root, err := putDeclaration(ctx, k, d)
		if err != nil {
			return err
		}
		if err := w.saveSnapshot(ctx, k, declarationName, root); err != nil {
			return err
		}
		_, err = k.PutManifest(ctx, label(roleSealed, w.header.ID), sealed{
			At: w.repo.opt.Now(), Copies: copies, Files: files, JournalHead: journalHead,
		})
		return err
	})
	if err != nil {
		return Point{}, fmt.Errorf("seal point %s: %w", w.header.ID, err)
	}
	if err := syncDisk(w.repo.opt.Path); err != nil {
		return Point{}, fmt.Errorf("seal point %s: %w", w.header.ID, err)
	}
	return w.repo.Point(ctx, w.header.ID)
}

func putDeclaration(ctx context.Context, k repo.RepositoryWriter, d Declaration) (files map[string]string, root *snapshot.DirEntry, err error) {
	files = map[string]string{}
	var dir snapshotfs.DirManifestBuilder
	for name, content := range d.Files {
		if files[name], err = putObject(ctx, k, name, content); err != nil {
			return nil, nil, err
		}
		if err := addFile(&dir, escapeName(name), files[name], int64(len(content))); err != nil {
			return nil, nil, err
		}
	}
	root, err = putDir(ctx, k, declarationName, &dir)
	return files, root, err
}
