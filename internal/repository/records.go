package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/manifest"

	"upkeep/internal/service"
)

// Labels of our manifests. kopia's own snapshots carry pointTag as well.
const (
	typeLabel   = manifest.TypeLabelKey
	recordType  = "upkeep"
	roleLabel   = "role"
	pointLabel  = "point"
	targetLabel = "target"
	pointTag    = "tag:upkeep-point"
	targetTag   = "tag:upkeep-target"

	roleBegun  = "begun"
	roleCopy   = "copy"
	roleSealed = "sealed"
	roleMark   = "mark"
)

// begun is written first, so that a point that is never finished shows.
type begun struct {
	Header
	At time.Time `json:"at"`
}

// copyRecord is a stored copy and where it is.
type copyRecord struct {
	TargetCopy
	Root     string `json:"root"`     // object of the snapshot's root directory
	Contents string `json:"contents"` // object of index/contents.json
}

// sealed makes a point complete.
type sealed struct {
	At          time.Time         `json:"at"`
	Copies      []copyRecord      `json:"copies"` // by target
	Files       map[string]string `json:"files"`  // of the declaration: name to object
	JournalHead string            `json:"journal"`
}

// mark is something learned about a point later.
type mark struct {
	Is    string    `json:"is"`
	At    time.Time `json:"at"`
	Proof *Proof    `json:"proof,omitempty"`
}

const (
	isVerified = "verified"
	isProven   = "proven"
	isDamaged  = "damaged"
)

// records is all that is written about one point.
type records struct {
	id     string
	begun  *begun
	copies map[string]copyRecord // by target; of an unsealed point
	sealed *sealed
	marks  []mark
}

func label(role, point string) map[string]string {
	return map[string]string{typeLabel: recordType, roleLabel: role, pointLabel: point}
}

// all reads the records of every point. One that cannot be read makes the whole
// answer an error: nobody may decide on part of the truth.
func (r *Repository) all(ctx context.Context) (map[string]*records, error) {
	if err := r.refresh(ctx); err != nil {
		return nil, err
	}
	found, err := r.reader.FindManifests(ctx, map[string]string{typeLabel: recordType})
	if err != nil {
		return nil, fmt.Errorf("find the repository's records: %w", readError(err))
	}
	points := map[string]*records{}
	for _, m := range found { // oldest first: a later record of one thing replaces the earlier
		id := m.Labels[pointLabel]
		if points[id] == nil {
			points[id] = &records{id: id, copies: map[string]copyRecord{}}
		}
		if err := points[id].read(ctx, r.reader, m); err != nil {
			return nil, fmt.Errorf("read record %s of point %s: %w", m.Labels[roleLabel], id, readError(err))
		}
	}
	return points, nil
}

func (p *records) read(ctx context.Context, from repo.Repository, m *manifest.EntryMetadata) error {
	var err error
	switch role := m.Labels[roleLabel]; role {
	case roleBegun:
		p.begun = &begun{}
		_, err = from.GetManifest(ctx, m.ID, p.begun)
	case roleCopy:
		var c copyRecord
		_, err = from.GetManifest(ctx, m.ID, &c)
		p.copies[c.Target] = c
	case roleSealed:
		p.sealed = &sealed{}
		_, err = from.GetManifest(ctx, m.ID, p.sealed)
	case roleMark:
		var k mark
		_, err = from.GetManifest(ctx, m.ID, &k)
		p.marks = append(p.marks, k)
	default:
		return fmt.Errorf("unknown role %q; written by a newer upkeep: %w", role, service.ErrUnsupported)
	}
	return err
}

// stored lists the copies by target.
func (p *records) stored() []copyRecord {
	if p.sealed != nil {
		return p.sealed.Copies
	}
	var list []copyRecord
	for _, c := range p.copies {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b copyRecord) int { return strings.Compare(a.Target, b.Target) })
	return list
}

// copyOf returns the copy of one target.
func (p *records) copyOf(target string) (copyRecord, bool) {
	for _, c := range p.stored() {
		if c.Target == target {
			return c, true
		}
	}
	return copyRecord{}, false
}

// point turns records into what callers see, without the declaration.
func (p *records) point() (Point, error) {
	if p.begun == nil {
		return Point{}, fmt.Errorf("point %s has lost its first record: %w", p.id, service.ErrDamaged)
	}
	h := p.begun.Header
	pt := Point{ID: h.ID, System: h.System, Reason: h.Reason, Taken: h.Taken, Expires: h.Expires, Complete: p.sealed != nil}
	for _, c := range p.stored() {
		pt.Bytes += c.Bytes
		pt.AddedBytes += c.AddedBytes
		pt.Targets = append(pt.Targets, c.TargetCopy)
	}
	if p.sealed != nil {
		pt.JournalHead = p.sealed.JournalHead
	}
	p.applyMarks(&pt)
	return pt, nil
}

// applyMarks goes by the order of writing, not by the marks' own times: what was
// learned last holds even when the clock was set back in between.
func (p *records) applyMarks(pt *Point) {
	for _, k := range p.marks {
		switch k.Is {
		case isVerified:
			pt.Verified, pt.Damaged = k.At, time.Time{}
		case isProven:
			pt.Proven, pt.Proof = k.At, k.Proof
		case isDamaged:
			pt.Damaged, pt.Verified = k.At, time.Time{}
		}
	}
}
