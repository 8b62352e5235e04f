package compose

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"

	"upkeep/internal/service"
)

// logs finds containers whose log grows without end: the engine's driver json-file
// keeps everything unless max-size says otherwise, and so fills disks. A limit
// takes effect when the container is made anew; the log of a running container is
// never cut, its writer would go on at the old place.
func (in *Instance) logs(v *service.Verdict, p *project, s *seen) {
	var services []string
	var bytes int64
	measured := true
	for _, name := range slices.Sorted(maps.Keys(s.services)) {
		for _, c := range s.services[name] {
			if !endlessLog(c) {
				continue
			}
			size, ok := in.logSize(c)
			bytes, measured = bytes+size, measured && ok
			services = append(services, name)
		}
	}
	services = slices.Compact(services)
	if len(services) == 0 {
		return
	}
	v.Warn("log-unlimited", "", service.Args{"services": services, "bytes": bytes, "measured": measured,
		"names": strings.Join(services, " "), "compose": in.command(p), "override": in.overridePath() != "", "file": overrideName})
}

func endlessLog(c container.InspectResponse) bool {
	return c.HostConfig.LogConfig.Type == "json-file" && c.HostConfig.LogConfig.Config["max-size"] == ""
}

// logSize is how much a container's log takes on this machine's disk, with the
// files that were rotated; not ok when that cannot be seen from here.
func (in *Instance) logSize(c container.InspectResponse) (bytes int64, ok bool) {
	if c.LogPath == "" || !strings.HasPrefix(in.cfg.Host, "unix:") {
		return 0, false
	}
	files, err := filepath.Glob(c.LogPath + "*")
	if err != nil || len(files) == 0 {
		return 0, false
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, false
		}
		bytes += info.Size()
	}
	return bytes, true
}
