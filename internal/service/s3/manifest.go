package s3

import (
	"cmp"
	"encoding/hex"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// A manifest has an entry per top-level prefix, and one for those beyond the limit.
const (
	entryLimit = 1000
	noPrefix   = "(no prefix)"
	others     = "(others)"
)

// Attributes of a manifest.
const (
	attrBucket     = "bucket" // absent, or its name
	absent         = "absent"
	attrVersioning = "versioning"  // Enabled, Suspended or empty
	attrAwkward    = "unfit_keys"  // how many keys MinIO would not take
	attrObjectLock = "object_lock" // yes where the bucket was made with it
)

// tally counts objects and digests what there is of them, whatever order they come
// in. It may be used side by side.
type tally struct {
	mu                                sync.Mutex
	objects, versions, markers, bytes int64
	entries                           map[string]*entry
	fixed                             bool // no more entries than there are
}

type entry struct {
	count int64
	sum   sum
}

// sum adds up digests modulo 2^128: unlike XOR it does not hide pairs.
type sum struct{ hi, lo uint64 }

func (s *sum) add(d xxh3.Uint128) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, d.Lo, 0)
	s.hi, _ = bits.Add64(s.hi, d.Hi, carry)
}

func (s *sum) take(d xxh3.Uint128) {
	var borrow uint64
	s.lo, borrow = bits.Sub64(s.lo, d.Lo, 0)
	s.hi, _ = bits.Sub64(s.hi, d.Hi, borrow)
}

func (s *sum) String() string {
	var b [16]byte
	for i := range 8 {
		b[7-i], b[15-i] = byte(s.hi>>(8*i)), byte(s.lo>>(8*i))
	}
	return hex.EncodeToString(b[:])
}

func newTally() *tally { return &tally{entries: map[string]*entry{}} }

// tallyAs counts under the entries of a manifest, so that what was beyond the limit
// there is so here.
func tallyAs(entries []service.Entry) *tally {
	t := newTally()
	for _, e := range entries {
		t.entries[e.Name] = &entry{}
	}
	t.fixed = true
	return t
}

// add counts an object.
func (t *tally) add(o *object) { t.count(o, 1) }

// remove takes back an object that turned out not to be there.
func (t *tally) remove(o *object) { t.count(o, -1) }

// resize replaces the size of an object that was counted.
func (t *tally) resize(o *object, size int64) {
	t.count(o, -1)
	o.size = size
	t.count(o, 1)
}

func (t *tally) count(o *object, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case o.marker:
		t.markers += n
	case o.current():
		t.objects += n
	default:
		t.versions += n
	}
	t.bytes += n * o.size
	e := t.entry(topOf(o.key))
	e.count += n
	if n > 0 {
		e.sum.add(digestOf(o))
	} else {
		e.sum.take(digestOf(o))
	}
}

// entry finds the entry of a prefix. Keys come in order, so that the same bucket
// gives the same entries.
func (t *tally) entry(top string) *entry {
	if e := t.entries[top]; e != nil {
		return e
	}
	if t.fixed || len(t.entries) >= entryLimit {
		top = others
	}
	e := t.entries[top]
	if e == nil {
		e = &entry{}
		t.entries[top] = e
	}
	return e
}

func topOf(key string) string {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		return key[:i+1]
	}
	return noPrefix
}

// digestOf covers all that a copy promises of an object beside its content.
func digestOf(o *object) xxh3.Uint128 {
	h := xxh3.New()
	line := func(text string) { _, _ = h.WriteString(strconv.Itoa(len(text)) + ":" + text) } // never fails
	line(o.name)
	line(strconv.FormatInt(o.size, 10))
	line(o.etag)
	line(o.version)
	for _, name := range slices.Sorted(maps.Keys(o.attrs)) {
		if promised(name) {
			line(name)
			line(o.attrs[name])
		}
	}
	return h.Sum128()
}

// promised reports whether an attribute is part of the digest: what a repository or
// a later version adds to a part is not.
func promised(name string) bool {
	prefix, _, found := strings.Cut(name, ":")
	switch name {
	case attrLockMode, attrLockTill, attrHold, attrClass:
		return true
	}
	return found && (prefix+":" == headerPrefix || prefix+":" == metaPrefix || prefix+":" == tagPrefix)
}

func (t *tally) counts() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return map[string]int64{"objects": t.objects, "versions": t.versions, "delete_markers": t.markers, "bytes": t.bytes}
}

func (t *tally) list() []service.Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []service.Entry
	for name, e := range t.entries {
		if e.count > 0 {
			all = append(all, service.Entry{Name: name, Count: e.count, Digest: e.sum.String()})
		}
	}
	slices.SortFunc(all, func(a, b service.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// sample counts things and names the first few of them.
type sample struct {
	n     int64
	names []string
}

// shown is how many things of one sort are named, longest how much of a name, in
// bytes.
const (
	shown   = 10
	longest = 200
)

func (s *sample) add(name string) {
	if s.n++; len(s.names) < shown {
		if len(name) > longest {
			name = name[:longest] + "…"
		}
		s.names = append(s.names, strconv.QuoteToGraphic(strings.ToValidUTF8(name, "…")))
	}
}

func (s *sample) args() service.Args { return service.Args{"n": s.n, "names": s.names} }
