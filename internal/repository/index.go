package repository

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"iter"
	"maps"
	"slices"
	"sort"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/object"

	"upkeep/internal/service"
)

// entry is one part in the index.
type entry struct {
	Name     text      `json:"name"`
	Attrs    [][2]text `json:"attrs,omitempty"` // by key; an object's keys would lose bytes
	Size     int64     `json:"size"`
	Identity text      `json:"id,omitempty"`
	SHA256   string    `json:"sha256,omitempty"`
	Object   string    `json:"obj,omitempty"` // empty for a part without content
}

// attrChanged marks a part that changed each time it was read: its content is a
// mixture of moments, and it is read again by the next copy.
const attrChanged = "changed"

func newEntry(p service.Part) entry {
	e := entry{Name: text(p.Name), Identity: text(p.Identity)}
	for _, key := range slices.Sorted(maps.Keys(p.Attrs)) {
		e.Attrs = append(e.Attrs, [2]text{text(key), text(p.Attrs[key])})
	}
	return e
}

func (e *entry) markChanged() {
	e.Attrs = append(e.Attrs, [2]text{attrChanged, "true"})
	e.Identity = ""
}

// part is the entry without its content.
func (e entry) part() service.Part {
	p := service.Part{Name: string(e.Name), Size: e.Size, Identity: string(e.Identity), SHA256: e.SHA256}
	if len(e.Attrs) > 0 {
		p.Attrs = make(map[string]string, len(e.Attrs))
	}
	for _, a := range e.Attrs {
		p.Attrs[string(a[0])] = string(a[1])
	}
	return p
}

// addTo adds the entry to the digest of its copy.
func (e entry) addTo(h hash.Hash) {
	fmt.Fprintf(h, "%d:%s %s\n", len(e.Name), string(e.Name), e.SHA256)
}

// contents is index/contents.json: what finds a part without reading the others.
type contents struct {
	Pages    []pageRef `json:"pages"`
	Manifest string    `json:"manifest"` // object
}

// pageRef is one page: its first part's name and where it is.
type pageRef struct {
	First text   `json:"first"`
	Last  text   `json:"last"`
	Parts int    `json:"parts"`
	Bytes int64  `json:"bytes"`
	Index string `json:"index"` // object of the index of the page
	Dir   string `json:"dir"`   // object of the kopia directory of its parts
}

// A page ends at a name whose hash says so: about every thousandth part, never
// far from it. A part that comes or goes changes its own page only.
const (
	pageEvery = 1024
	pageLeast = 128
	pageMost  = 4096
)

func endsPage(name string, parts int) bool {
	if parts < pageLeast {
		return false
	}
	h := fnv.New64a()
	h.Write([]byte(name)) // never fails
	return parts >= pageMost || h.Sum64()%pageEvery == 0
}

// page returns the number of the page in which name is, if it is.
func (c contents) page(name string) (pageRef, bool) {
	after := sort.Search(len(c.Pages), func(i int) bool { return string(c.Pages[i].First) > name })
	if after == 0 || name > string(c.Pages[after-1].Last) {
		return pageRef{}, false
	}
	return c.Pages[after-1], true
}

// entries reads one page of an index in order.
func entries(ctx context.Context, from repo.Repository, page pageRef) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		r, err := openObject(ctx, from, page.Index)
		if err != nil {
			yield(entry{}, fmt.Errorf("open index from %q: %w", page.First, err))
			return
		}
		defer r.Close()
		lines := json.NewDecoder(bufio.NewReaderSize(r, 64<<10))
		for {
			var e entry
			err := lines.Decode(&e)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(entry{}, fmt.Errorf("read index from %q: %w", page.First, readError(err)))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// allEntries reads all pages in order.
func allEntries(ctx context.Context, from repo.Repository, c contents) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		for _, page := range c.Pages {
			for e, err := range entries(ctx, from, page) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// openObject opens an object named in a record or an index.
func openObject(ctx context.Context, from repo.Repository, name string) (object.Reader, error) {
	id, err := object.ParseID(name)
	if err != nil {
		return nil, fmt.Errorf("object %q: %w: %w", name, service.ErrDamaged, err)
	}
	r, err := from.OpenObject(ctx, id)
	if err != nil {
		return nil, readError(err)
	}
	return r, nil
}

// readJSON reads a small object into value.
func readJSON(ctx context.Context, from repo.Repository, name string, value any) error {
	r, err := openObject(ctx, from, name)
	if err != nil {
		return err
	}
	defer r.Close()
	return readError(json.NewDecoder(r).Decode(value))
}
