package repository

import (
	"time"

	"upkeep/internal/service"
)

// Why a point was taken. A point taken before a restore holds what the restore
// was about to replace: it expires by its own date instead of keep:, and
// "latest" never means it.
const (
	ReasonBackup        = "backup"
	ReasonBeforeRestore = "before-restore"
)

// Header names a point before anything is stored.
type Header struct {
	ID      string    `json:"id"`
	System  string    `json:"system"`
	Reason  string    `json:"reason"` // empty = ReasonBackup
	Taken   time.Time `json:"taken"`
	Expires time.Time `json:"expires,omitzero"` // of a point before a restore; zero = never by itself
}

// TargetCopy is what was stored of one target. Its manifest has no entries; those
// come with Repository.Copy.
type TargetCopy struct {
	Target     string            `json:"target"`
	Kind       string            `json:"kind"`
	Taken      time.Time         `json:"taken"`          // of the view that was copied
	Until      time.Time         `json:"until,omitzero"` // as in the manifest
	Bytes      int64             `json:"bytes"`          // of all parts' content
	AddedBytes int64             `json:"added"`          // on the repository's disk, compressed and encrypted
	Parts      int               `json:"parts"`
	Carried    int               `json:"carried"`          // parts not read, because their identity was that of the copy before
	SHA256     string            `json:"sha256"`           // over "LEN:NAME SHA256\n" of all parts in order; LEN in bytes
	Counts     map[string]int64  `json:"counts,omitempty"` // as in the manifest
	Manifest   service.Manifest  `json:"manifest"`
	Findings   []service.Finding `json:"findings,omitempty"` // of storing: parts that changed while they were read
}

// Declaration is what the system was declared as: upkeep.yaml and the files it
// names, by name. It must hold no secret.
type Declaration struct {
	Files   map[string][]byte
	Damaged []string // names of files that can no longer be read; the copies may be whole all the same
}

// Proof is what a drill measured.
type Proof struct {
	RPO      time.Duration    `json:"rpo"`
	RTO      time.Duration    `json:"rto"`
	Compared map[string]int64 `json:"compared"`
}

// Point is one restore point. Only a complete one, which was sealed, counts as a
// copy.
type Point struct {
	ID          string
	System      string
	Reason      string
	Taken       time.Time
	Expires     time.Time // of a point before a restore; zero = never by itself
	Bytes       int64
	AddedBytes  int64
	Targets     []TargetCopy // by name
	Complete    bool
	Verified    time.Time   // zero = not
	Proven      time.Time   // zero = not
	Damaged     time.Time   // when a later Verify found damage; zero = none known
	Proof       *Proof      // of the drill at Proven
	Declaration Declaration // filled in by Repository.Point and PointWriter.Seal only
	JournalHead string
}

// Window is the time between the first and the last moment that the point speaks of,
// by the clocks of its sources: what was written within it may be in one store's copy
// and not in another's.
func (p Point) Window() time.Duration {
	var from, until time.Time
	for _, t := range p.Targets {
		if from.IsZero() || t.Taken.Before(from) {
			from = t.Taken
		}
		for _, at := range []time.Time{t.Taken, t.Until} {
			if at.After(until) {
				until = at
			}
		}
	}
	return until.Sub(from)
}

// Target returns the copy of one target.
func (p Point) Target(name string) (TargetCopy, bool) {
	for _, t := range p.Targets {
		if t.Target == name {
			return t, true
		}
	}
	return TargetCopy{}, false
}
