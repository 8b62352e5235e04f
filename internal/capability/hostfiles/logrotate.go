package hostfiles

import (
	"fmt"
	"strings"
	"time"

	"upkeep/internal/service"
)

// Logrotate does with log files what their declarations ask for. Without any it says so.
func (s System) Logrotate() []File {
	l := s.lines()
	for _, declared := range s.Config.Services {
		if r, asked := service.RotationOf(declared.Config); asked {
			s.rotate(l, declared.Name, r)
		}
	}
	if l.Len() == 0 {
		l.comment("no-rotation", nil)
	}
	return []File{{Path: "/etc/logrotate.d/upkeep-" + s.Config.System, Text: l.String()}}
}

func (s System) rotate(l *lines, name string, r service.Rotation) {
	var paths []string
	for _, path := range r.Paths {
		if strings.Contains(path, "**") || strings.ContainsAny(path, "{}") {
			l.comment("pattern", service.Args{"service": name, "path": path})
			continue
		}
		paths = append(paths, `"`+s.Config.Resolve(path)+`"`)
	}
	if len(paths) == 0 {
		return
	}
	fmt.Fprintf(l, "# %s\n%s {\n", name, strings.Join(paths, " "))
	for _, line := range directives(r) {
		l.WriteString("\t" + line + "\n")
	}
	l.WriteString("}\n")
}

const day = 24 * time.Hour

func directives(r service.Rotation) []string {
	lines := []string{"missingok", "notifempty"}
	switch {
	case r.Age == 0:
		lines = append(lines, fmt.Sprintf("size %d", r.Size))
	case r.Size > 0:
		lines = append(lines, often(r.Age), fmt.Sprintf("maxsize %d", r.Size))
	default:
		lines = append(lines, often(r.Age))
	}
	keep := "rotate -1"
	if r.Keep > 0 {
		keep = fmt.Sprintf("rotate %d", r.Keep)
	}
	lines = append(lines, keep)
	if r.CompressAfter > 0 {
		lines = append(lines, "compress", "delaycompress")
	}
	if r.DeleteAfter > 0 {
		lines = append(lines, fmt.Sprintf("maxage %d", max(1, int(r.DeleteAfter/day))))
	}
	return append(lines, reopened(r)...)
}

// often is the longest of logrotate's spans that is not longer than the declared one.
func often(age time.Duration) string {
	for _, span := range []struct {
		at   time.Duration
		name string
	}{{30 * day, "monthly"}, {7 * day, "weekly"}, {day, "daily"}} {
		if age >= span.at {
			return span.name
		}
	}
	return "hourly"
}

// reopened is how the writer is brought to its new file. Without a way its file is copied and
// cut, which loses what is written between both.
func reopened(r service.Rotation) []string {
	switch {
	case r.Looks:
		return []string{"create"}
	case r.Signal != "":
		return []string{"create", "sharedscripts", "postrotate",
			fmt.Sprintf("\tkill -s %s \"$(cat '%s')\"", r.Signal, r.Pidfile), "endscript"}
	}
	return []string{"copytruncate"}
}
