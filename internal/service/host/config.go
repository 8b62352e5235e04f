package host

import (
	"fmt"
	"path/filepath"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Config declares what to watch and when to speak up.
type Config struct {
	// Mounts to watch. Empty means every writable file system on a local disk,
	// each once; network file systems and memory disks only when named.
	Mounts []string `yaml:"mounts"`
	Disk   Limits   `yaml:"disk"` // used share of the space that ordinary users have
	// FullWithin is a warning when a mount that goes on growing as it did over the
	// last days, up to 30, will be full sooner than that. 0 switches it off.
	FullWithin quantity.Duration `yaml:"full_within"`
	Inodes     Limits            `yaml:"inodes"` // used share
	Memory     Limits            `yaml:"memory"` // share that is not available to programs
	Swap       Limits            `yaml:"swap"`   // used share
	Pressure   Pressure          `yaml:"pressure"`
	Load       Load              `yaml:"load"`
}

// Limits are shares at which a finding is a warning or critical. 0 switches one off.
type Limits struct {
	Warning  quantity.Share `yaml:"warning"`
	Critical quantity.Share `yaml:"critical"`
}

// Pressure holds limits for the share of the last minute in which work waited:
// all of it for memory and io, some of it for cpu.
type Pressure struct {
	CPU    Limits `yaml:"cpu"`
	Memory Limits `yaml:"memory"`
	IO     Limits `yaml:"io"`
}

// Load limits the run queue per core, held for 15 minutes. 0 switches it off.
type Load struct {
	Warning float64 `yaml:"warning"`
}

// Defaults leave a busy but working machine alone: io and cpu pressure of a
// nightly backup is expected, so neither is ever critical by itself.
func (c *Config) Defaults() {
	c.Disk = Limits{Warning: 0.80, Critical: 0.90}
	c.FullWithin = quantity.Duration(7 * 24 * time.Hour)
	c.Inodes = Limits{Warning: 0.80, Critical: 0.90}
	c.Memory = Limits{Warning: 0.90, Critical: 0.95}
	c.Swap = Limits{Warning: 0.80}
	c.Pressure = Pressure{
		CPU:    Limits{Warning: 0.80},
		Memory: Limits{Warning: 0.10, Critical: 0.30},
		IO:     Limits{Warning: 0.60},
	}
	c.Load = Load{Warning: 2}
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	for i, mount := range c.Mounts {
		if !filepath.IsAbs(mount) {
			p.Addf(fmt.Sprintf("mounts[%d]", i), "must be an absolute path, is %q", mount)
		}
	}
	limits := []struct {
		path string
		Limits
	}{
		{"disk", c.Disk}, {"inodes", c.Inodes}, {"memory", c.Memory}, {"swap", c.Swap},
		{"pressure.cpu", c.Pressure.CPU}, {"pressure.memory", c.Pressure.Memory}, {"pressure.io", c.Pressure.IO},
	}
	for _, l := range limits {
		if l.Critical > 0 && l.Warning > l.Critical {
			p.Addf(l.path, "warning (%s) must not be above critical (%s)", l.Warning, l.Critical)
		}
	}
	if c.Load.Warning < 0 {
		p.Addf("load.warning", "must not be negative, is %v", c.Load.Warning)
	}
	return p
}

// judge adds a finding when used reaches a limit, with the limit among args.
func (l Limits) judge(v *service.Verdict, used float64, slug, subject string, args service.Args) {
	switch {
	case l.Critical > 0 && used >= float64(l.Critical):
		args["limit"] = float64(l.Critical)
		v.Crit(slug, subject, args)
	case l.Warning > 0 && used >= float64(l.Warning):
		args["limit"] = float64(l.Warning)
		v.Warn(slug, subject, args)
	}
}

// Reach is the file systems.
func (c *Config) Reach() service.Reach { return service.Reach{Disks: true} }
