package neo4j

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"

	"upkeep/internal/service"
)

// archive is what a dump says of itself: neo4j-admin tells files and bytes, but not
// for which versions of Neo4j the store in it is.
type archive struct {
	files int64
	bytes int64
	store string // "record-aligned-1.1", "AF4.3.0"; empty for an engine that is not known here
}

// What dumps of Neo4j 4 and 5 begin with. They are packed by gzip where the library of
// Zstandard cannot be loaded: it is unpacked into /tmp, which may forbid to run things.
const (
	packedByZstd = "DZV1"
	packedByGzip = "DGV1"
)

// readArchive reads a dump to its end: it is whole when its checksums hold and the files
// in it are as many and as long as its head says, where it has one.
func readArchive(from io.Reader) (a archive, err error) {
	magic := make([]byte, len(packedByZstd))
	_, err = io.ReadFull(from, magic)
	switch {
	case err == nil && string(magic) == packedByZstd:
		err = a.readZstd(from)
	case err == nil && string(magic) == packedByGzip:
		err = a.readGzip(from)
	default:
		return a, fmt.Errorf("it begins with %q, which is no dump that is known here: %w", magic, errors.Join(err, service.ErrDamaged))
	}
	if err != nil {
		return a, fmt.Errorf("read the dump: %w: %w", err, service.ErrDamaged)
	}
	return a, nil
}

func (a *archive) readZstd(from io.Reader) error {
	plain, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return err
	}
	defer plain.Close()
	return a.readCounted(plain)
}

// readGzip reads files without a head.
func (a *archive) readGzip(from io.Reader) error {
	plain, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	return errors.Join(a.readFiles(plain), plain.Close())
}

func (a *archive) readCounted(from io.Reader) error {
	var head struct {
		Compression    [4]byte
		Version        int32
		Files, Content int64
	}
	if err := binary.Read(from, binary.BigEndian, &head); err != nil {
		return err
	}
	if err := a.readFiles(from); err != nil {
		return err
	}
	if a.files != head.Files || a.bytes != head.Content {
		return fmt.Errorf("it holds %d files of %d bytes and should hold %d of %d", a.files, a.bytes, head.Files, head.Content)
	}
	return nil
}

func (a *archive) readFiles(from io.Reader) error {
	for _, root := range []string{"store", "transactions"} {
		if err := a.readTar(from); err != nil {
			return fmt.Errorf("%s: %w", root, err)
		}
	}
	_, err := io.Copy(io.Discard, from) // the last checksum comes at the end
	return err
}

func (a *archive) readTar(from io.Reader) error {
	in := tar.NewReader(from)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if err := a.entry(path.Clean(h.Name), h.Size, in); err != nil {
			return err
		}
	}
}

// neostore holds, at its beginning, the format of a store of the record engine.
const neostore = "neostore"

func (a *archive) entry(name string, size int64, content io.Reader) error {
	a.files++
	a.bytes += size
	if name == neostore {
		head, err := io.ReadAll(io.LimitReader(content, 512))
		if err != nil {
			return err
		}
		a.store = storeFormat(head)
	}
	_, err := io.Copy(io.Discard, content)
	return err
}

// storeFormat reads neostore: slots of nine bytes, the first of which says that the
// slot is used. Up to 4.4 the fifth holds the name of the format, its length last; from
// 5.0 it begins the identity of the store, in which the name of the engine, the family
// and the version follow each other.
func storeFormat(head []byte) string {
	const slot, fifth = 9, 4
	if len(head) < (fifth+1)*slot {
		return ""
	}
	if name := legacyFormat(head[fifth*slot+1 : (fifth+1)*slot]); name != "" {
		return name
	}
	var identity []byte
	for at := fifth * slot; at+slot <= len(head); at += slot {
		identity = append(identity, head[at+1:at+slot]...)
	}
	const engine = "\x06record"
	_, rest, found := bytes.Cut(identity, []byte(engine))
	if !found || len(rest) == 0 || len(rest) < int(rest[0])+3 {
		return ""
	}
	family, version := rest[1:rest[0]+1], rest[rest[0]+1:]
	return fmt.Sprintf("record-%s-%d.%d", family, version[0], version[1])
}

// legacyFormat is a name such as AF4.3.0, written from the last byte to the first.
func legacyFormat(slot []byte) string {
	length := int(slot[len(slot)-1])
	if length < 4 || length >= len(slot) {
		return ""
	}
	var name []byte
	for i := range length {
		c := slot[len(slot)-2-i]
		if c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return ""
		}
		name = append(name, c)
	}
	return string(name)
}

// legacy reports whether Neo4j 5 has to migrate the store before it can use it.
func (a archive) legacy() bool { return len(a.store) > 0 && a.store[0] >= 'A' && a.store[0] <= 'Z' }
