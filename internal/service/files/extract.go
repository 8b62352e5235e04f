package files

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// readme stands beside the tree; under is the directory of the tree, so that a
// file of the same name cannot take its place.
const (
	readme = "README.md"
	under  = "files/"
)

const instructions = `# Files

Below files/ lies the tree as it was, each path without its leading slash:
files/etc/app.conf was /etc/app.conf. Modes, owners, times, links and extended
attributes are in the archive; GNU tar puts them back as root:

    tar --extract --xattrs --xattrs-include='*' --same-owner --strip-components=1 \
        --directory=/ --file=ARCHIVE files

%d files, %d directories, %d links, %d bytes, copied %s.
`

// Extract puts the tree under files/ with everything that a tar header holds.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	chosen, err := in.selectionOf(sel)
	if err != nil {
		return err
	}
	m := c.Manifest()
	text := fmt.Sprintf(instructions, m.Counts["files"], m.Counts["directories"], m.Counts["links"], m.Counts["bytes"],
		m.Taken.Format(time.RFC3339))
	err = put(&tar.Header{Typeflag: tar.TypeReg, Name: readme, Mode: 0o600, Size: int64(len(text)), ModTime: m.Taken},
		strings.NewReader(text))
	if err != nil {
		return err
	}
	w := &restoration{in: in, copy: c, sel: chosen}
	return w.each(ctx, func(p service.Part, m meta) error { return w.extract(ctx, p, m, put) })
}

func (w *restoration) extract(ctx context.Context, p service.Part, m meta, put func(*tar.Header, io.Reader) error) (err error) {
	if _, err := clean(p.Name); err != nil {
		return err
	}
	h := header(p.Name, m)
	if m.kind != file {
		return put(h, nil)
	}
	if m.hardlink != "" {
		if w.sel.has(m.hardlink) {
			h.Typeflag, h.Linkname = tar.TypeLink, under+m.hardlink
			return put(h, nil)
		}
		if p, err = w.copy.Part(ctx, m.hardlink); err != nil {
			return fmt.Errorf("the file it is a hard link of: %w", err)
		}
	}
	if p.Open == nil || p.Size < 0 {
		return fmt.Errorf("the copy has no content: %w", service.ErrDamaged)
	}
	content, err := p.Open(ctx)
	if err != nil {
		return err
	}
	h.Size = p.Size
	return errors.Join(put(h, content), content.Close())
}

func header(name string, m meta) *tar.Header {
	h := &tar.Header{
		Typeflag: typeflag(m.kind), Name: under + name, Linkname: m.target, Mode: int64(m.mode),
		Uid: int(m.uid), Gid: int(m.gid), Uname: m.user, Gname: m.group,
		ModTime: time.Unix(m.mtime.Sec, m.mtime.Nsec), Format: tar.FormatPAX,
		Devmajor: int64(unix.Major(m.device)), Devminor: int64(unix.Minor(m.device)),
	}
	for attribute, value := range m.xattrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["SCHILY.xattr."+attribute] = value
	}
	return h
}

func typeflag(kind string) byte {
	switch kind {
	case directory:
		return tar.TypeDir
	case link:
		return tar.TypeSymlink
	case fifo:
		return tar.TypeFifo
	case character:
		return tar.TypeChar
	case block:
		return tar.TypeBlock
	}
	return tar.TypeReg
}
