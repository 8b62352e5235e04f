package files

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep/internal/service"
)

// plan looks at the whole list before anything is changed: every name must be a
// clean path that is declared, in order, and there must be room.
func (w *restoration) plan(ctx context.Context) error {
	room := rooms{top: w.in.top, disks: map[uint64]*disk{}}
	last, chosen := "", 0
	err := w.each(ctx, func(p service.Part, m meta) error {
		if last != "" && p.Name <= last {
			return fmt.Errorf("comes after %q: %w", last, service.ErrDamaged)
		}
		last = p.Name
		chosen++
		if strings.HasSuffix(p.Name, "/") != (m.kind == directory) {
			return fmt.Errorf("has type %q: %w", m.kind, service.ErrDamaged)
		}
		if err := w.allowed(p.Name); err != nil || m.kind != file || m.hardlink != "" {
			return err
		}
		w.total += p.Size
		return room.need(p, m)
	})
	if err != nil {
		return err
	}
	if chosen == 0 && !w.sel.all {
		return &service.Fault{ID: "files.nothing-selected", Args: service.Args{"only": strings.Join(w.sel.patterns, ", ")},
			Err: fmt.Errorf("the copy has nothing of that name: %w", service.ErrNotFound)}
	}
	return room.judge()
}

func (w *restoration) allowed(name string) error {
	names, err := clean(name)
	if err != nil {
		return err
	}
	if declared, _ := w.in.rules.declares(names); !declared {
		return outside(name)
	}
	return nil
}

// rooms adds up what a restore needs on each disk.
type rooms struct {
	top   string
	dir   string // of the part before, and its disk
	last  *disk
	disks map[uint64]*disk
}

type disk struct {
	path    string // on it
	need    int64  // more than is used now, in bytes
	biggest int64  // the largest file: it and the one it replaces exist together
}

func (r *rooms) need(p service.Part, m meta) error {
	d, err := r.of(p.Name)
	if err != nil {
		return err
	}
	size := p.Size
	if m.allocated >= 0 {
		size = m.allocated
	}
	var now unix.Stat_t
	if unix.Lstat(join(r.top, p.Name), &now) == nil && now.Mode&unix.S_IFMT == unix.S_IFREG {
		d.need -= min(size, now.Blocks*512)
	}
	d.need += size
	d.biggest = max(d.biggest, size)
	return nil
}

// of returns the disk of the nearest directory that exists above the part. It is
// an estimate: links on the way are followed here and nowhere else.
func (r *rooms) of(name string) (*disk, error) {
	dir := name[:strings.LastIndexByte(name, '/')+1]
	if r.last != nil && dir == r.dir {
		return r.last, nil
	}
	path := strings.TrimSuffix(dir, "/")
	var st unix.Stat_t
	for {
		err := unix.Stat(join(r.top, path), &st)
		if err == nil {
			break
		}
		if path == "" || err != unix.ENOENT && err != unix.ENOTDIR && err != unix.ENAMETOOLONG {
			return nil, fmt.Errorf("look at the disk: %w", err)
		}
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
	d := r.disks[st.Dev]
	if d == nil {
		d = &disk{path: join(r.top, path)}
		r.disks[st.Dev] = d
	}
	r.dir, r.last = dir, d
	return d, nil
}

func (r *rooms) judge() error {
	for _, d := range r.disks {
		free, err := available(d.path)
		if err != nil {
			return err
		}
		if want := d.need + d.biggest; want > free {
			return &service.Fault{ID: "files.no-room", Args: service.Args{"path": d.path, "need": want, "free": free},
				Err: fmt.Errorf("%s needs %d bytes, %d are free: %w", d.path, want, free, service.ErrNoSpace)}
		}
	}
	return nil
}

// available returns the free bytes of the disk that path is on.
func available(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("ask for free space on %s: %w", path, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
