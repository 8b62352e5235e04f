package s3

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"upkeep/internal/service"
)

const (
	readmeName = "README.md"
	tableName  = "objects.jsonl"
	plainDir   = "objects/"
	codedDir   = "encoded/"
	olderDir   = "versions/"
)

// readme says how to put the files back. Its arguments: bucket, time, objects,
// versions, delete markers, bytes.
const readme = `# Copy of the objects of %[1]s

Copied %[2]s: %[3]d objects, %[4]d earlier versions, %[5]d delete markers, %[6]d bytes.

- objects/ holds the current objects, each under its key.
- encoded/ holds those whose key is no clean path: it has an empty element, "." or "..", ends
  in a slash, has an element of more than 255 bytes, or lies below another object.
- versions/ holds the earlier versions, named by a digest.
- objects.jsonl has one line per object, version and delete marker, in order: key, path of its
  file here, SHA-256, content type, metadata and tags.

Put the current objects back with one of these, ALIAS or REMOTE being your server:

    mc mirror objects/ ALIAS/BUCKET
    rclone copy objects/ REMOTE:BUCKET

Those with other keys, one by one:

    jq -r 'select(.path // "" | startswith("encoded/")) | [.path, .key] | @tsv' objects.jsonl |
      while IFS=$(printf '\t') read -r path key; do rclone rcat "REMOTE:BUCKET/$key" < "$path"; done

Metadata and tags of one object:

    jq 'select(.key == "KEY")' objects.jsonl
    mc cp --attr "Content-Type=text/plain;owner=me" objects/KEY ALIAS/BUCKET/KEY
    mc tag set ALIAS/BUCKET/KEY "name=value"

upkeep puts back everything at once, with versions, metadata and tags: upkeep restore POINT TARGET
`

// Extract gives the objects as ordinary files, with one table of all that a file
// cannot hold.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	chosen, err := newSelection(sel)
	if err == nil {
		err = chosen.demand(ctx, c)
	}
	if err != nil {
		return err
	}
	m := c.Manifest()
	text := fmt.Sprintf(readme, m.Identity, m.Taken.UTC().Format("2006-01-02 15:04:05 UTC"), m.Counts["objects"],
		m.Counts["versions"], m.Counts["delete_markers"], m.Counts["bytes"])
	if err := put(fileHeader(readmeName, int64(len(text)), m.Taken), strings.NewReader(text)); err != nil {
		return err
	}
	if err := putTable(ctx, c, chosen, put); err != nil {
		return fmt.Errorf("write %s: %w", tableName, err)
	}
	return eachFile(ctx, c, chosen, func(o *object, path string) error {
		if o.marker {
			return nil
		}
		content, err := guarded(ctx, o)
		if err != nil {
			return err
		}
		return errors.Join(put(fileHeader(path, o.size, o.modified), content), content.Close())
	})
}

func fileHeader(name string, size int64, modified time.Time) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: modified, Format: tar.FormatPAX}
}

// putTable writes the table twice: once to learn its length, which a header needs.
func putTable(ctx context.Context, c service.Copy, sel selection, put func(*tar.Header, io.Reader) error) error {
	var size counter
	if err := writeTable(ctx, c, sel, &size); err != nil {
		return err
	}
	from, to := io.Pipe()
	go func() { _ = to.CloseWithError(writeTable(ctx, c, sel, to)) }() // always nil
	err := put(fileHeader(tableName, int64(size), c.Manifest().Taken), from)
	return errors.Join(err, from.Close()) // always nil; ends the writer
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// row is one line of the table.
type row struct {
	Key     string            `json:"key"`
	Path    string            `json:"path,omitempty"`
	Version string            `json:"version,omitempty"`
	Current bool              `json:"current"`
	Deleted bool              `json:"delete_marker,omitempty"`
	Size    int64             `json:"size"`
	SHA256  string            `json:"sha256,omitempty"`
	ETag    string            `json:"etag,omitempty"`
	Time    string            `json:"modified"`
	Header  map[string]string `json:"headers,omitempty"`
	Meta    map[string]string `json:"metadata,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	Other   map[string]string `json:"other,omitempty"`
}

func writeTable(ctx context.Context, c service.Copy, sel selection, to io.Writer) error {
	buffer := bufio.NewWriter(to)
	lines := json.NewEncoder(buffer)
	lines.SetEscapeHTML(false)
	err := eachFile(ctx, c, sel, func(o *object, path string) error { return lines.Encode(rowOf(o, path)) })
	return errors.Join(err, buffer.Flush())
}

func rowOf(o *object, path string) row {
	r := row{Key: o.key, Path: path, Version: o.version, Current: o.current(), Deleted: o.marker, Size: o.size,
		SHA256: o.part.SHA256, ETag: o.etag, Time: o.modified.UTC().Format(time.RFC3339Nano),
		Header: map[string]string{}, Meta: map[string]string{}, Tags: map[string]string{}, Other: map[string]string{}}
	for name, value := range o.attrs {
		prefix, rest, _ := strings.Cut(name, ":")
		switch {
		case prefix+":" == headerPrefix:
			r.Header[rest] = value
		case prefix+":" == metaPrefix:
			r.Meta[rest] = value
		case prefix+":" == tagPrefix:
			r.Tags[rest] = value
		case promised(name):
			r.Other[name] = value
		}
	}
	return r
}

// eachFile visits what is selected with the path of its file; a delete marker has
// none.
func eachFile(ctx context.Context, c service.Copy, sel selection, visit func(o *object, path string) error) error {
	var above ancestors
	for one, err := range chainsOf(ctx, c) {
		if err != nil {
			return err
		}
		if !sel.has(one.key) {
			continue
		}
		blocked := above.hold(one.key)
		for i := range one.objects {
			o := &one.objects[i]
			path := pathOf(o, blocked)
			if err := visit(o, path); err != nil {
				return fmt.Errorf("%q: %w", o.key, err)
			}
			if strings.HasPrefix(path, plainDir) {
				above.add(one.key)
			}
		}
	}
	return nil
}

func pathOf(o *object, blocked bool) string {
	sum := sha256.Sum256([]byte(o.name))
	coded := hex.EncodeToString(sum[:])
	switch {
	case o.marker:
		return ""
	case !o.current():
		return olderDir + coded
	case blocked || !fitsMinIO(o.key) || path.Clean(o.key) != o.key || path.IsAbs(o.key):
		return codedDir + coded
	}
	return plainDir + o.key
}
