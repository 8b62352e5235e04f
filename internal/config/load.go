package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"upkeep/internal/diag"
	"upkeep/internal/service"
)

// fileName is what a declaration is called when nobody says otherwise.
const fileName = "upkeep.yaml"

// maxFile bounds a declaration, in bytes: what is larger is some other file.
const maxFile = 1 << 20

// machineFile is the declaration of a machine where none is named: what the package's unit serves.
const machineFile = "/etc/upkeep/upkeep.yaml"

// Find says which declarations are meant: those that were named, else
// upkeep.yaml here, else $UPKEEP_CONFIG, else the machine's.
func Find(named []string, getenv func(string) string) []string {
	if len(named) > 0 {
		return named
	}
	if here := enterable(".") && exists(fileName); !here && getenv("UPKEEP_CONFIG") != "" {
		return filepath.SplitList(getenv("UPKEEP_CONFIG"))
	} else if !here && exists(machineFile) {
		return []string{machineFile}
	}
	return []string{fileName}
}

// enterable reports whether we may look into a directory. User upkeep may not in the home of who
// called sudo, and cannot have meant what is there.
func enterable(dir string) bool { return !errors.Is(unix.Access(dir, unix.X_OK), fs.ErrPermission) }

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Load reads declarations, one system each. A directory stands for the
// upkeep.yaml in it, else for every *.yaml in it. Configs are complete only when
// no problem is returned.
func Load(paths []string, kinds *service.Registry) ([]*Config, diag.List) {
	var configs []*Config
	var problems diag.List
	for _, path := range paths {
		files, p := expand(path)
		problems = append(problems, p...)
		for _, file := range files {
			c, p := loadFile(file, kinds)
			problems = append(problems, p...)
			configs = append(configs, c)
		}
	}
	return configs, append(problems, twice(configs)...)
}

// expand turns a directory into the declarations in it.
func expand(path string) (files []string, p diag.List) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	inside := filepath.Join(path, fileName)
	if _, err := os.Stat(inside); err == nil {
		return []string{inside}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".yaml" {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		p.Addf("", "holds no upkeep.yaml and no other *.yaml")
		p[0].File = path
	}
	return files, p
}

func unreadable(file string, err error) (p diag.List) {
	if errors.Is(err, fs.ErrNotExist) {
		p.Addf("", "there is no such file; upkeep init writes one")
	} else {
		p.Addf("", "cannot be read: %s", err)
	}
	p[0].File = file
	return p
}

func loadFile(file string, kinds *service.Registry) (*Config, diag.List) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		var p diag.List
		p.Addf("", "is not a file of at most %d bytes", maxFile)
		p[0].File = file
		return nil, p
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	return Parse(file, content, kinds)
}

// Parse reads the content of one declaration. file is how problems name it, and
// its directory is where relative paths start.
func Parse(file string, content []byte, kinds *service.Registry) (*Config, diag.List) {
	base, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, unreadable(file, err)
	}
	sum := sha256.Sum256(content)
	c := &Config{File: file, Base: base, Digest: hex.EncodeToString(sum[:]),
		Files: map[string][]byte{filepath.Base(file): content}}
	d := newDecoder()
	if root := d.parse(content); root != nil {
		r := reader{decoder: d, config: c, kinds: kinds}
		r.read(root)
	}
	c.lines = d.lines()
	for i := range d.problems {
		d.problems[i].File = file
	}
	slices.SortStableFunc(d.problems, func(a, b diag.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c, d.problems
}

// twice finds systems of one name: their runs and points could not be told
// apart.
func twice(configs []*Config) (p diag.List) {
	files := map[string]string{}
	for _, c := range configs {
		if c == nil || c.System == "" {
			continue
		}
		if earlier, ok := files[c.System]; ok {
			p.Addf("system", "%q is also declared in %s", c.System, earlier)
			p[len(p)-1].File, p[len(p)-1].Line, p[len(p)-1].Column = c.File, c.lines["system"], 1
			continue
		}
		files[c.System] = c.File
	}
	return p
}
