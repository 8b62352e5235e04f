package files

import (
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
)

// Config declares what belongs to the target.
type Config struct {
	// Paths are directories, files and patterns with * ? [a-z] {a,b} and **. A
	// directory stands for everything in it.
	Paths []string `yaml:"paths"`
	// Exclude are patterns of what is left alone. Without a slash they match a name
	// at any depth, else a path.
	Exclude []string `yaml:"exclude"`
	// Secret says that contents are secrets: permissions are judged.
	Secret bool `yaml:"secret"`
	// Required makes a declared path that is not there a critical finding.
	Required bool `yaml:"required"`
	// MaxAge is how old the newest file may be; 0 accepts any age.
	MaxAge quantity.Duration `yaml:"max_age"`
	// OneFilesystem leaves out what is mounted below a declared directory.
	OneFilesystem bool `yaml:"one_filesystem"`
}

// Defaults are those of a declaration that says nothing.
func (c *Config) Defaults() { c.Required = true }

// Validate returns every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if len(c.Paths) == 0 {
		p.Addf("paths", "must name at least one directory, file or pattern")
	}
	validate(&p, "paths", c.Paths)
	validate(&p, "exclude", c.Exclude)
	return p
}

func validate(p *diag.List, key string, patterns []string) {
	for i, pattern := range patterns {
		path := key + "[" + itoa(int64(i)) + "]"
		switch {
		case pattern == "":
			p.Addf(path, "must not be empty")
		case strings.ContainsRune(pattern, 0):
			p.Addf(path, "must not hold a NUL byte")
		case !doublestar.ValidatePattern(pattern):
			p.Addf(path, "is not a pattern: %q has an open bracket or brace", pattern)
		case slashInBraces(pattern):
			p.Addf(path, "must not have a slash inside braces: write one path per alternative")
		}
	}
}

func slashInBraces(pattern string) bool {
	depth := 0
	for _, r := range pattern {
		switch {
		case r == '{':
			depth++
		case r == '}':
			depth--
		case r == '/' && depth > 0:
			return true
		}
	}
	return false
}

// absolute returns path from base, clean.
func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
