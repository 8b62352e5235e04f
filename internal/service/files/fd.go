package files

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// beneath opens rel below the directory dir without following a symbolic link
// anywhere on the way, so that nobody can lead the walk out of the tree by
// swapping one in. rel may be "" for the directory itself.
func beneath(dir int, rel string, flags int, mode uint32) (int, error) {
	if rel == "" {
		rel = "."
	}
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_CLOEXEC),
		Mode:    uint64(mode),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	}
	for {
		fd, err := unix.Openat2(dir, rel, &how)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN: // EAGAIN: somebody renamed on the way
			continue
		case err == unix.ENOSYS, err == unix.ENAMETOOLONG, err == unix.EPERM && flags&unix.O_NOATIME == 0:
			return stepwise(dir, rel, flags, mode) // an old kernel, a sandbox or a path above 4096 bytes
		}
		return fd, err
	}
}

// stepwise is beneath one name at a time.
func stepwise(dir int, rel string, flags int, mode uint32) (int, error) {
	at := dir
	for {
		name, rest, more := strings.Cut(rel, "/")
		use, perm := unix.O_PATH|unix.O_DIRECTORY, uint32(0)
		if !more {
			use, perm = flags, mode
		}
		fd, err := openat(at, name, use|unix.O_NOFOLLOW, perm)
		if at != dir {
			err = errors.Join(err, unix.Close(at))
		}
		if err != nil || !more {
			return fd, unjoin(err)
		}
		at, rel = fd, rest
	}
}

// unjoin returns the only error of a join, so that callers can compare it.
func unjoin(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) == 1 {
		return joined.Unwrap()[0]
	}
	return err
}

func openat(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// quietly opens for reading without touching the access time, which only owners
// may ask for.
func quietly(open func(flags int) (int, error)) (int, error) {
	fd, err := open(unix.O_RDONLY | unix.O_NOATIME)
	if err == unix.EPERM {
		return open(unix.O_RDONLY)
	}
	return fd, err
}

// stat describes name in the directory dir; the directory itself for "".
func stat(dir int, name string, follow bool) (st unix.Stat_t, err error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if follow {
		flags = 0
	}
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	for {
		if err = unix.Fstatat(dir, name, &st, flags); err != unix.EINTR {
			return st, err
		}
	}
}

// handle is a path to name in the open directory dir, for calls that take no
// directory. Only its last name can be a link, and those calls do not follow it.
func handle(dir int, name string) string {
	path := "/proc/self/fd/" + itoa(int64(dir))
	if name == "" {
		return path
	}
	return path + "/" + name
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// readlink returns the target of the link name in dir.
func readlink(dir int, name string) (string, error) {
	buf := make([]byte, 256)
	for {
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, 2*len(buf))
	}
}
