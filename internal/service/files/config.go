package files

import (
	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
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
	glob.Validate(&p, "paths", c.Paths)
	glob.Validate(&p, "exclude", c.Exclude)
	return p
}

// Reach is what copies read.
func (c *Config) Reach() service.Reach { return service.Reach{Reads: c.Paths} }
