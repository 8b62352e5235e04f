package host

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// mounts returns what is mounted. Of several on one path only the last counts: it hides
// the others.
func (in *Instance) mounts() (map[string]*procfs.MountInfo, error) {
	all, err := in.proc.GetMounts()
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	return onPaths(in.ofMachine(all)), nil
}

// ofMachine takes the mounts of the first process where it has the same root: in a unit that
// may write to some directories only, everything else looks mounted read-only.
func (in *Instance) ofMachine(own []*procfs.MountInfo) []*procfs.MountInfo {
	first, err := in.proc.Proc(1)
	if err != nil {
		return own
	}
	all, err := first.MountInfo()
	if err != nil {
		return own
	}
	if here, there := onPaths(own)["/"], onPaths(all)["/"]; here == nil || there == nil || here.MajorMinorVer != there.MajorMinorVer {
		return own
	}
	return all
}

func onPaths(all []*procfs.MountInfo) map[string]*procfs.MountInfo {
	seen := make(map[string]*procfs.MountInfo, len(all))
	for _, m := range all {
		m.MountPoint = unescape.Replace(m.MountPoint)
		seen[m.MountPoint] = m
	}
	return seen
}

// unescape undoes what the kernel does to blanks and backslashes in paths.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")

// local picks the writable file systems on this machine's disks, each once. The
// root counts whatever it lies on, as in a container. A file system that was
// mounted read-only on purpose cannot fill up.
func local(all map[string]*procfs.MountInfo) []*procfs.MountInfo {
	var found []*procfs.MountInfo
	for _, m := range all {
		if m.MountPoint == "/" || onDisk(m) && has(m.Options, "rw") {
			found = append(found, m)
		}
	}
	// The mount of the whole file system comes before binds of its parts, and
	// among equals the shortest path.
	slices.SortFunc(found, func(a, b *procfs.MountInfo) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(len(a.MountPoint), len(b.MountPoint)),
			cmp.Compare(a.MountPoint, b.MountPoint))
	})
	devices := map[string]bool{}
	return slices.DeleteFunc(found, func(m *procfs.MountInfo) bool {
		device := m.MajorMinorVer
		if m.FSType == "btrfs" { // each of its mounts has a number of its own
			device = m.Source
		}
		twice := devices[device]
		devices[device] = true
		return twice
	})
}

func onDisk(m *procfs.MountInfo) bool {
	switch m.FSType {
	case "squashfs", "iso9660", "udf", "erofs": // full by nature
		return false
	case "zfs":
		return true
	}
	return strings.HasPrefix(m.Source, "/dev/")
}

func rank(m *procfs.MountInfo) int {
	switch {
	case m.MountPoint == "/":
		return 0
	case m.Root == "/":
		return 1
	}
	return 2
}

// holding returns the mount that the path lies on.
func holding(all map[string]*procfs.MountInfo, path string) *procfs.MountInfo {
	for ; ; path = filepath.Dir(path) {
		if m := all[path]; m != nil || path == filepath.Dir(path) {
			return m
		}
	}
}

func has(options map[string]string, name string) bool {
	_, there := options[name]
	return there
}

// failed reports that the kernel stopped writing after an error: whoever mounted
// it asked for rw, and the file system below says ro.
func failed(m *procfs.MountInfo) bool {
	return has(m.Options, "rw") && (has(m.SuperOptions, "ro") || has(m.SuperOptions, "emergency_ro"))
}
