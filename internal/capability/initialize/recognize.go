package initialize

import (
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"upkeep/internal/service"
)

// recognize declares what a kind knows as its own: a directory, or one at most so many
// levels below it. What belongs to that is not declared as files.
func (s *survey) recognize(p *places, dir string, depth int) {
	if slices.Contains(p.recognized, dir) || s.recognizedBy(p, dir) || depth == 0 {
		return
	}
	for _, child := range subdirectories(dir) {
		s.recognize(p, child, depth-1)
	}
}

func (s *survey) recognizedBy(p *places, dir string) bool {
	for _, kind := range s.opt.Kinds.Kinds() {
		recognizer, can := kind.NewConfig().(service.Recognizer)
		if !can {
			continue
		}
		if found, ok := recognizer.Recognize(dir); ok {
			p.recognized = append(p.recognized, dir)
			s.recognized(p, kind.Name(), dir, found)
			return true
		}
	}
	return false
}

func (s *survey) recognized(p *places, kind, dir string, found service.Recognized) {
	if odd(dir) {
		s.note("odd-name", service.Args{"path": readable(dir)})
		return
	}
	t := target{name: s.name(found.Name), kind: kind, keys: yaml.MapSlice{{Key: "dir", Value: s.relative(dir)}}}
	t.about = append([]service.Message{message("about-recognized", service.Args{"dir": s.relative(dir), "kind": kind})}, found.About...)
	for _, m := range found.Unsure {
		m.Args = maps.Clone(m.Args)
		m.Args["target"] = t.name
		t.about, s.notes = append(t.about, m), append(s.notes, m)
	}
	s.targets = append(s.targets, t)
	p.stores = slices.Concat(p.stores, found.Holds, found.Config, found.Logs)
	p.config = append(p.config, found.Config...)
	s.logs(found.Logs)
}

// logs declares directories in which there are log files: they are read and searched,
// and nothing of them is removed until somebody asks for it.
func (s *survey) logs(dirs []string) {
	dirs = slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool { return odd(dir) || !holdsLogs(dir) })
	if !s.known("logs") || len(dirs) == 0 {
		return
	}
	var paths []string
	for _, dir := range dirs {
		paths = append(paths, escape(s.relative(dir))+"/**/*.log")
	}
	s.targets = append(s.targets, target{name: s.name("logs"), kind: "logs",
		about: []service.Message{message("about-logs", nil)}, keys: yaml.MapSlice{{Key: "paths", Value: paths}}})
}

func holdsLogs(dir string) (holds bool) {
	_ = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error { // what cannot be read is declared by hand
		holds = err == nil && e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".log")
		if holds {
			return fs.SkipAll
		}
		return nil
	})
	return holds
}
