package hostfiles

import (
	"fmt"
	"maps"
	"slices"

	"upkeep/internal/config"
	"upkeep/internal/service"
)

// Timers are the jobs as systemd timers, each with the service that it starts. What
// systemd cannot say is left out, and a comment in a file of its own says why.
func (s System) Timers() (files []File) {
	left := s.lines()
	for _, name := range slices.Sorted(maps.Keys(s.Config.Jobs)) {
		j := s.Config.Jobs[name]
		values := j.At.OnCalendar()
		switch {
		case j.At.IsZero():
			left.timed(name, j)
		case values == nil:
			left.comment("span", service.Args{"job": name, "at": j.At.Text, "tool": "systemd"})
		default:
			files = append(files, s.timer(name, j, values), s.started(name))
		}
	}
	if left.Len() > 0 {
		files = append(files, File{Path: "/etc/systemd/system/upkeep-jobs.left-out", Text: left.String()})
	}
	return files
}

func (s System) timer(name string, j config.Job, values []string) File {
	l := s.lines()
	l.comment("timer-head", service.Args{"job": name, "system": s.Config.System})
	l.timed(name, j)
	fmt.Fprintf(l, "[Unit]\nDescription=upkeep: %s %s\n\n[Timer]\n", escaped(s.Config.System), name)
	for _, value := range values {
		fmt.Fprintf(l, "OnCalendar=%s\n", value)
	}
	fmt.Fprintf(l, "AccuracySec=1s\nPersistent=%t\n", j.Missed != "none")
	if j.Jitter > 0 {
		fmt.Fprintf(l, "RandomizedDelaySec=%d\nFixedRandomDelay=true\n", int(j.Jitter.Std().Seconds()))
	}
	l.WriteString("\n[Install]\nWantedBy=timers.target\n")
	return File{Path: "/etc/systemd/system/upkeep-" + name + ".timer", Text: l.String()}
}

// started is the service of one job.
func (s System) started(name string) File {
	unit := fmt.Sprintf("[Unit]\nDescription=upkeep: %s %s\n\n[Service]\nType=oneshot\nExecStart=%s run %s --file %s\n",
		escaped(s.Config.System), name, quoted(s.Program), name, quoted(s.Declaration))
	return File{Path: "/etc/systemd/system/upkeep-" + name + ".service", Text: unit}
}
