package files

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// Types of parts, as their attribute "type" has them.
const (
	file      = "file"
	directory = "directory"
	link      = "link"
	fifo      = "fifo"
	character = "character"
	block     = "block"
)

// meta is what a part's content does not hold.
type meta struct {
	kind        string
	mode        uint32 // permissions with setuid, setgid and sticky
	uid, gid    uint32
	user, group string // as the source knows them; empty where it does not
	mtime       unix.Timespec
	target      string // of a link
	via         string // target of the trusted link that stands for the part
	hardlink    string // name of the part that is the same file
	allocated   int64  // bytes on disk of a file with holes; -1 without holes
	device      uint64
	xattrs      map[string]string
}

// attrs returns the text form. Bytes that are no text are in base64 under a name
// that says so, because attributes pass through JSON.
func (m *meta) attrs() map[string]string {
	a := make(map[string]string, 8+len(m.xattrs))
	a["type"] = m.kind
	a["mode"] = strconv.FormatUint(uint64(m.mode), 8)
	a["uid"], a["gid"] = itoa(int64(m.uid)), itoa(int64(m.gid))
	a["mtime"] = stamp(m.mtime)
	put(a, "user", m.user)
	put(a, "group", m.group)
	put(a, "target", m.target)
	put(a, "via", m.via)
	put(a, "hardlink", m.hardlink)
	if m.allocated >= 0 {
		a["allocated"] = itoa(m.allocated)
	}
	if m.kind == character || m.kind == block {
		a["device"] = strconv.FormatUint(m.device, 10)
	}
	for name, value := range m.xattrs {
		a["xattr."+name+inBase64] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	return a
}

const inBase64 = ":base64"

func put(a map[string]string, name, value string) {
	switch {
	case value == "":
	case utf8.ValidString(value):
		a[name] = value
	default:
		a[name+inBase64] = base64.StdEncoding.EncodeToString([]byte(value))
	}
}

// stamp writes a time as seconds and nanoseconds: "1732330000.000000001". Package
// time cannot count nanoseconds beyond the year 2262, file systems can.
func stamp(t unix.Timespec) string { return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec) }

// parse reads the text form of a part's attributes.
func parse(p service.Part) (m meta, err error) {
	d := decoder{attrs: p.Attrs}
	m = meta{
		kind: d.text("type"), mode: uint32(d.number("mode", 8)),
		uid: uint32(d.number("uid", 10)), gid: uint32(d.number("gid", 10)),
		user: d.text("user"), group: d.text("group"), mtime: d.stamp("mtime"),
		target: d.text("target"), via: d.text("via"), hardlink: d.text("hardlink"),
		allocated: -1, xattrs: d.xattrs(),
	}
	if _, holes := p.Attrs["allocated"]; holes {
		m.allocated = int64(d.number("allocated", 10))
	}
	if m.kind == character || m.kind == block {
		m.device = d.number("device", 10)
	}
	if d.err != nil {
		return m, fmt.Errorf("attributes of %q: %w", p.Name, errors.Join(d.err, service.ErrDamaged))
	}
	return m, nil
}

// decoder reads attributes and keeps the first error.
type decoder struct {
	attrs map[string]string
	err   error
}

func (d *decoder) text(name string) string {
	if plain, ok := d.attrs[name]; ok {
		return plain
	}
	return d.bytes(d.attrs[name+inBase64])
}

func (d *decoder) bytes(encoded string) string {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	d.note(err)
	return string(raw)
}

func (d *decoder) number(name string, base int) uint64 {
	n, err := strconv.ParseUint(d.attrs[name], base, 64)
	d.note(err)
	return n
}

func (d *decoder) stamp(name string) (t unix.Timespec) {
	seconds, nanos, _ := strings.Cut(d.attrs[name], ".")
	var err error
	t.Sec, err = strconv.ParseInt(seconds, 10, 64)
	d.note(err)
	t.Nsec, err = strconv.ParseInt(nanos, 10, 64)
	d.note(err)
	return t
}

func (d *decoder) xattrs() map[string]string {
	var found map[string]string
	for name, value := range d.attrs {
		if !strings.HasPrefix(name, "xattr.") {
			continue
		}
		if found == nil {
			found = map[string]string{}
		}
		found[strings.TrimSuffix(name[len("xattr."):], inBase64)] = d.bytes(value)
	}
	return found
}

func (d *decoder) note(err error) {
	if d.err == nil {
		d.err = err
	}
}

// differences names what of the two is not the same. Owners count where owned.
func (m *meta) differences(o *meta, owned bool) (names []string) {
	check := func(name string, differs bool) {
		if differs {
			names = append(names, name)
		}
	}
	check("type", m.kind != o.kind)
	check("mode", m.mode != o.mode && m.kind != link)
	check("owner", owned && (!alike(m.uid, o.uid, m.user, o.user) || !alike(m.gid, o.gid, m.group, o.group)))
	check("time", m.mtime != o.mtime)
	check("target", m.target != o.target)
	check("hard link", m.hardlink != o.hardlink)
	check("device", m.device != o.device)
	check("attributes", !maps.Equal(m.xattrs, o.xattrs))
	return names
}

// alike takes owners for equal by number or by name: numbers differ between
// machines.
func alike(a, b uint32, aName, bName string) bool {
	return a == b || aName != "" && aName == bName
}
