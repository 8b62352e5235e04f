package initialize

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"upkeep/internal/service"
)

// places are paths on this machine, absolute, that belong into copies.
type places struct {
	data, config []string
	stores       []string // what other kinds look after: it is never copied as plain files
	recognized   []string // directories that a kind knows as its own
}

// levels is how far below the directory of a system its data is looked for.
const levels = 2

// directories declares what of a compose project lies in files.
func (s *survey) directories(st *stack) {
	p := &places{}
	for _, f := range slices.Concat(st.files, st.included) {
		p.config = append(p.config, f.path)
	}
	p.addConfig(s.opt.Dir)
	s.recognize(p, s.opt.Dir, levels)
	sources := s.mounts(st, p)
	for _, dir := range append([]string{s.opt.Dir}, sources...) {
		p.search(dir, levels)
	}
	for _, dir := range sources {
		p.addConfig(dir)
	}
	s.files(p)
}

// mounts sorts the bind mounts of all services and returns those that are source
// trees.
func (s *survey) mounts(st *stack, p *places) (sources []string) {
	var plain []types.ServiceVolumeConfig
	for _, name := range st.project.ServiceNames() {
		svc := st.project.Services[name]
		for _, f := range svc.EnvFiles {
			p.config = appendRegular(p.config, f.Path)
		}
		if svc.Build != nil && filepath.IsAbs(svc.Build.Context) && isDir(svc.Build.Context) {
			sources = append(sources, svc.Build.Context)
		}
		for _, v := range svc.Volumes {
			switch {
			case v.Type != types.VolumeTypeBind || !worthCopying(v.Source):
			case familyOf(svc) != noStore && isDir(v.Source) && !v.ReadOnly:
				p.stores = append(p.stores, v.Source)
				if familyOf(svc) == otherStore {
					s.note("store-files", service.Args{"service": svc.Name, "path": s.relative(v.Source)})
				}
			default:
				plain = append(plain, v)
			}
		}
	}
	for _, v := range plain {
		s.recognize(p, v.Source, 1)
		switch {
		case !isDir(v.Source):
			p.config = appendRegular(p.config, v.Source)
		case contains(v.Source, s.opt.Dir) || slices.Contains(sources, v.Source) || isSourceTree(v.Source):
			sources = append(sources, v.Source)
		case v.ReadOnly && few(v.Source):
			p.config = append(p.config, v.Source)
		default:
			p.addData(v.Source)
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// worthCopying leaves out what belongs to the machine and not to the system.
func worthCopying(source string) bool {
	if !filepath.IsAbs(source) || source == "/" {
		return false
	}
	for _, system := range []string{"/proc", "/sys", "/dev", "/run", "/var/run", "/etc", "/usr", "/bin", "/sbin", "/lib", "/boot", "/var/lib/docker"} {
		if contains(system, source) {
			return false
		}
	}
	_, err := os.Stat(source)
	return err == nil
}

// contains reports whether path is dir or lies below it.
func contains(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func appendRegular(paths []string, path string) []string {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return append(paths, path)
	}
	return paths
}

// isSourceTree reports whether a directory holds a program rather than its data.
func isSourceTree(dir string) bool {
	for _, mark := range []string{".git", "Dockerfile", "package.json", "pyproject.toml", "requirements.txt", "setup.py", "go.mod",
		"pom.xml", "Cargo.toml", "Gemfile", "composer.json"} {
		if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
			return true
		}
	}
	return false
}

// few reports whether a tree is as small as configuration is.
func few(dir string) bool {
	const most = 100
	n := 0
	err := filepath.WalkDir(dir, func(string, fs.DirEntry, error) error {
		if n++; n > most {
			return fs.SkipAll
		}
		return nil
	})
	return err == nil && n <= most
}

// addConfig takes what is configuration by its name.
func (p *places) addConfig(dir string) {
	for _, name := range []string{".env", "settings.json"} {
		p.config = appendRegular(p.config, filepath.Join(dir, name))
	}
}

// addData takes a directory, or what is in it beside the live files of a server.
func (p *places) addData(dir string) {
	within := func(store string) bool { return contains(dir, store) }
	if slices.ContainsFunc(p.stores, func(store string) bool { return contains(store, dir) }) {
		return
	}
	if !slices.ContainsFunc(p.stores, within) {
		p.data = append(p.data, dir)
		return
	}
	for _, child := range subdirectories(dir) {
		p.addData(child)
	}
}

// subdirectories are those that are neither hidden, nor links, nor made by tools.
// A directory that cannot be read has none: its owner declares it by hand.
func subdirectories(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir) // what could be read of it comes beside the error
	for _, e := range entries {
		made := []string{"node_modules", "venv", "env", "__pycache__", "vendor", "dist", "build", "target", "site-packages"}
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(made, e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

// search takes the directories below dir that hold data by their name.
func (p *places) search(dir string, depth int) {
	for _, child := range subdirectories(dir) {
		switch {
		case dataName(filepath.Base(child)):
			p.addData(child)
		case depth > 1:
			p.search(child, depth-1)
		}
	}
}

func dataName(name string) bool {
	name = strings.ToLower(name)
	known := []string{"data", "upload", "uploads", "export", "exports", "quarantine", "media", "storage", "results", "output", "outputs"}
	return slices.Contains(known, name) || strings.HasSuffix(name, "_data") || strings.HasSuffix(name, "_results") ||
		strings.HasSuffix(name, "-data") || strings.HasSuffix(name, "-results")
}

// searchFiles takes the directories below dir whose own files are tables of data.
func (p *places) searchFiles(dir string) {
	for _, child := range subdirectories(dir) {
		if !dataName(filepath.Base(child)) && holdsTables(child) {
			p.addData(child)
		}
	}
}

func holdsTables(dir string) bool {
	entries, _ := os.ReadDir(dir) // what cannot be read is declared by hand
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		tables := []string{".parquet", ".csv", ".jsonl", ".db", ".sqlite", ".sqlite3", ".duckdb", ".feather", ".xlsx"}
		return e.Type().IsRegular() && slices.Contains(tables, strings.ToLower(filepath.Ext(e.Name())))
	})
}

// files declares the places.
func (s *survey) files(p *places) {
	if !s.known("files") {
		return
	}
	if paths := s.patterns(p.data); len(paths) > 0 {
		s.targets = append(s.targets, target{name: s.name("data"), kind: "files",
			about: []service.Message{message("about-data", nil)}, keys: yaml.MapSlice{{Key: "paths", Value: paths}}})
	}
	if paths := s.patterns(p.config); len(paths) > 0 {
		s.targets = append(s.targets, target{name: s.name("config"), kind: "files",
			about: []service.Message{message("about-config", nil)},
			keys:  yaml.MapSlice{{Key: "paths", Value: paths}, {Key: "secret", Value: true}}})
	}
}

// patterns writes paths as the declaration wants them: each once, none inside
// another, nothing in a name taken for a wildcard. A name that is no UTF-8 cannot
// stand in it and is noted.
func (s *survey) patterns(paths []string) []string {
	slices.Sort(paths)
	var kept, written []string
	for _, path := range paths {
		if slices.ContainsFunc(kept, func(k string) bool { return contains(k, path) }) {
			continue
		}
		if odd(path) {
			s.note("odd-name", service.Args{"path": readable(path)})
			continue
		}
		kept = append(kept, path)
		written = append(written, escape(s.relative(path)))
	}
	return written
}

// odd reports whether a name cannot stand in a declaration.
func odd(path string) bool {
	return !utf8.ValidString(path) || strings.ContainsFunc(path, func(r rune) bool { return r < ' ' })
}

func readable(path string) string { return oneLine(strings.ToValidUTF8(path, "?")) }

// escape makes a path a pattern that matches nothing else.
func escape(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if strings.IndexByte(`*?[]{}\`, path[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(path[i])
	}
	return b.String()
}
