package logs

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Config declares log files and what is done with them. Nothing is rotated,
// compressed or deleted that is not asked for.
type Config struct {
	// Paths are files and patterns with * ? [a-z] {a,b} and **. Rotated files beside
	// them belong to them and need not be named.
	Paths []string `yaml:"paths"`
	// Exclude are patterns of what is left alone. Without a slash they match a name
	// in any directory, else a path.
	Exclude []string `yaml:"exclude"`
	// Secret says that the lines are secrets: permissions are judged.
	Secret bool `yaml:"secret"`
	// Growth is how much one file may grow in an hour; 0 accepts any growth.
	Growth quantity.Bytes `yaml:"growth"`
	Rotate Rotate         `yaml:"rotate"`
	// CompressAfter is how long after its last line a rotated file is compressed; 0
	// never does.
	CompressAfter quantity.Duration `yaml:"compress_after"`
	// DeleteAfter is how long after its last line a rotated file is deleted; 0 never
	// does. Where files are compressed, only compressed ones are deleted.
	DeleteAfter quantity.Duration `yaml:"delete_after"`
	// Keep is how many rotated files of each log are kept, whatever their age; 0 is any
	// number.
	Keep int `yaml:"keep"`
	// Metrics are counters of upkeep collect, by their names: lines that match a regular
	// expression, those that the logs hold when they are first counted and all that come after:
	// {api_errors_total: "429|timed out"}.
	Metrics map[string]string `yaml:"metrics"`
}

// Rotate says when a file is moved aside. 0 is never.
type Rotate struct {
	Size   quantity.Bytes    `yaml:"size"` // from which on it is rotated
	Age    quantity.Duration `yaml:"age"`  // since it was begun
	Reopen Reopen            `yaml:"reopen"`
}

func (r Rotate) asked() bool { return r.Size > 0 || r.Age > 0 }

// Reopen says how the writer is brought to open its file anew. Without it a file
// that a process has open for writing is not rotated.
type Reopen struct {
	Signal  string `yaml:"signal"`  // HUP, USR1 or USR2, to the process in pidfile
	Pidfile string `yaml:"pidfile"` // of the process that gets the signal
	None    bool   `yaml:"none"`    // the writer looks by itself before each line, as Python's WatchedFileHandler does
}

func (r Reopen) declared() bool { return r.None || r.Signal != "" }

func signals() map[string]unix.Signal {
	return map[string]unix.Signal{"HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2}
}

// Validate returns every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if len(c.Paths) == 0 {
		p.Addf("paths", "must name at least one file or pattern")
	}
	glob.Validate(&p, "paths", c.Paths)
	glob.Validate(&p, "exclude", c.Exclude)
	c.Rotate.validate(&p)
	if c.DeleteAfter > 0 && c.DeleteAfter < c.CompressAfter {
		p.Addf("delete_after", "must not be shorter than compress_after, which is %s", c.CompressAfter)
	}
	if c.Keep < 0 {
		p.Addf("keep", "must not be negative, is %d", c.Keep)
	}
	c.validateMetrics(&p)
	return p
}

func (r Rotate) validate(p *diag.List) {
	how := r.Reopen
	switch _, known := signals()[how.Signal]; {
	case how.None && (how.Signal != "" || how.Pidfile != ""):
		p.Addf("rotate.reopen.none", "must not stand beside signal or pidfile")
	case how.Signal != "" && !known:
		p.Addf("rotate.reopen.signal", "must be HUP, USR1 or USR2, is %q", how.Signal)
	case how.Signal != "" && how.Pidfile == "":
		p.Addf("rotate.reopen.pidfile", "must name the file with the process number that gets the signal")
	case how.Signal == "" && how.Pidfile != "":
		p.Addf("rotate.reopen.signal", "must say which signal the process gets")
	}
	if how.declared() && !r.asked() {
		p.Addf("rotate", "must have size or age")
	}
}

// Reach is the files, and their directories where files are moved aside, compressed or deleted.
func (c *Config) Reach() service.Reach {
	reach := service.Reach{Reads: c.Paths}
	if c.Rotate.asked() || c.CompressAfter > 0 || c.DeleteAfter > 0 || c.Keep > 0 {
		for _, path := range c.Paths {
			reach.Writes = append(reach.Writes, filepath.Dir(path))
		}
		reach.Processes, reach.Signals = true, c.Rotate.Reopen.Signal != "" // who writes, and is told to begin anew
	}
	return reach
}

// Rotation is what is asked for, in the terms of others.
func (c *Config) Rotation() (service.Rotation, bool) {
	r := c.Rotate
	return service.Rotation{Paths: c.Paths, Size: int64(r.Size), Age: r.Age.Std(), Keep: c.Keep, CompressAfter: c.CompressAfter.Std(),
		DeleteAfter: c.DeleteAfter.Std(), Signal: r.Reopen.Signal, Pidfile: r.Reopen.Pidfile, Looks: r.Reopen.None}, r.asked()
}
