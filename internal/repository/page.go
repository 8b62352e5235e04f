package repository

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/object"
	"github.com/kopia/kopia/snapshot"
	"github.com/kopia/kopia/snapshot/snapshotfs"

	"upkeep/internal/service"
)

// indexPrefix puts indexes into the packs of metadata, away from the content.
const indexPrefix content.IDPrefix = "u"

// pageWriter turns entries, in order, into pages and holds one page at a time.
type pageWriter struct {
	w        repo.RepositoryWriter
	current  pageRef
	lines    bytes.Buffer
	dir      *snapshotfs.DirManifestBuilder
	pages    snapshotfs.DirManifestBuilder
	index    snapshotfs.DirManifestBuilder
	contents contents
	digest   hash.Hash
	parts    int
	bytes    int64
}

func newPageWriter(w repo.RepositoryWriter) *pageWriter {
	return &pageWriter{w: w, dir: &snapshotfs.DirManifestBuilder{}, digest: sha256.New()}
}

func (p *pageWriter) add(ctx context.Context, e entry) error {
	if p.current.Parts == 0 {
		p.current.First = e.Name
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("describe part %q: %w", string(e.Name), err)
	}
	p.lines.Write(append(line, '\n'))
	if e.Object != "" {
		if err := addFile(p.dir, escapeName(string(e.Name)), e.Object, e.Size); err != nil {
			return err
		}
	}
	e.addTo(p.digest)
	p.parts++
	p.bytes += e.Size
	p.current.Parts++
	p.current.Bytes += e.Size
	p.current.Last = e.Name
	if endsPage(string(e.Name), p.current.Parts) {
		return p.end(ctx)
	}
	return nil
}

// end writes the current page.
func (p *pageWriter) end(ctx context.Context) error {
	number := fmt.Sprintf("%08d", len(p.contents.Pages))
	index, err := putObject(ctx, p.w, "index "+number, p.lines.Bytes())
	if err != nil {
		return err
	}
	dir, err := putDir(ctx, p.w, number, p.dir)
	if err != nil {
		return err
	}
	if err := addFile(&p.index, number+".jsonl", index, int64(p.lines.Len())); err != nil {
		return err
	}
	p.pages.AddEntry(dir)
	p.current.Index, p.current.Dir = index, dir.ObjectID.String()
	p.contents.Pages = append(p.contents.Pages, p.current)
	p.current, p.dir = pageRef{}, &snapshotfs.DirManifestBuilder{}
	p.lines.Reset()
	return nil
}

// finish writes what is left and returns the root directory and the object of
// contents.json.
func (p *pageWriter) finish(ctx context.Context, name string, m service.Manifest) (root *snapshot.DirEntry, contents string, err error) {
	if p.current.Parts > 0 {
		if err := p.end(ctx); err != nil {
			return nil, "", err
		}
	}
	if p.contents.Manifest, err = p.putJSON(ctx, "manifest.json", m); err != nil {
		return nil, "", err
	}
	if contents, err = p.putJSON(ctx, "contents.json", p.contents); err != nil {
		return nil, "", err
	}
	var top snapshotfs.DirManifestBuilder
	for name, dir := range map[string]*snapshotfs.DirManifestBuilder{"pages": &p.pages, "index": &p.index} {
		entry, err := putDir(ctx, p.w, name, dir)
		if err != nil {
			return nil, "", err
		}
		top.AddEntry(entry)
	}
	root, err = putDir(ctx, p.w, name, &top)
	return root, contents, err
}

func (p *pageWriter) putJSON(ctx context.Context, name string, value any) (string, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", fmt.Errorf("describe %s: %w", name, err)
	}
	id, err := putObject(ctx, p.w, name, encoded)
	if err != nil {
		return "", err
	}
	return id, addFile(&p.index, name, id, int64(len(encoded)))
}

func (p *pageWriter) sum() string { return hex.EncodeToString(p.digest.Sum(nil)) }

// addFile adds a file to a kopia directory. It has no time, so that an unchanged
// directory stays the same object.
func addFile(dir *snapshotfs.DirManifestBuilder, name, objectID string, size int64) error {
	id, err := object.ParseID(objectID)
	if err != nil {
		return fmt.Errorf("object of %s: %w", name, err)
	}
	dir.AddEntry(&snapshot.DirEntry{
		Name: name, Type: snapshot.EntryTypeFile, Permissions: 0o600, FileSize: size, ObjectID: id,
	})
	return nil
}

// putDir writes a kopia directory and returns its entry in the one above.
func putDir(ctx context.Context, w repo.RepositoryWriter, name string, dir *snapshotfs.DirManifestBuilder) (*snapshot.DirEntry, error) {
	built := dir.Build(0, "")
	id, err := snapshotfs.WriteDirManifest(ctx, w, name, built, compressorName)
	if err != nil {
		return nil, fmt.Errorf("write directory %s: %w", name, err)
	}
	return &snapshot.DirEntry{
		Name: name, Type: snapshot.EntryTypeDirectory, Permissions: 0o700, ObjectID: id, DirSummary: built.Summary,
	}, nil
}

// putObject writes a small object of metadata.
func putObject(ctx context.Context, w repo.RepositoryWriter, what string, data []byte) (string, error) {
	o := w.NewObjectWriter(ctx, object.WriterOptions{
		Description: what, Prefix: indexPrefix, Compressor: compressorName, MetadataCompressor: compressorName,
	})
	defer o.Close()
	if _, err := o.Write(data); err != nil {
		return "", fmt.Errorf("write %s: %w", what, err)
	}
	id, err := o.Result()
	if err != nil {
		return "", fmt.Errorf("write %s: %w", what, err)
	}
	return id.String(), nil
}
