package process

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Config says which processes are meant: those that fit everything declared of
// command, exe, pidfile and user.
type Config struct {
	// Command is how the command line begins, word by word: [python, run.py] fits
	// "python run.py --fast", never "vim run.py" or "python run.py.bak". A first
	// word without a slash stands for that program in any directory.
	Command []string `yaml:"command"`
	Exe     string   `yaml:"exe"`     // absolute path of the executable
	User    string   `yaml:"user"`    // name or number it runs as
	Pidfile string   `yaml:"pidfile"` // holds the pid of the one process meant
	Expect  Expect   `yaml:"expect"`
	Count   Count    `yaml:"count"` // how many may run when they are expected alive
	// Progress is for how long a process, with all its children, may use no
	// processor time at all before it counts as hung. 0 does not look.
	Progress quantity.Duration `yaml:"progress"`
	// CloseWait is the number of connections that the other side has closed and the
	// process has not, from which on it counts as hung on its network. 0 does not
	// look; looking at another user's processes needs root.
	CloseWait int `yaml:"close_wait"`
	// Growth is how fast the memory of one process may grow, all below it included.
	Growth Growth `yaml:"growth"`
	// Workers asks upkeep tune how many may run; an empty one does not.
	Workers Workers `yaml:"workers"`
	// StopWithin is how long a process may take to end after it was asked to, where
	// upkeep ends it: before the files that it writes are replaced. Then it is killed.
	StopWithin quantity.Duration `yaml:"stop_within"`
}

// Count is a range. Max 0 means no limit.
type Count struct {
	Min int `yaml:"min"`
	Max int `yaml:"max"`
}

// Expect says what is right.
type Expect string

// A batch job that comes and goes is declared as Either: it is then only watched
// for being hung or running too often.
const (
	Alive  Expect = "alive"
	Absent Expect = "absent"
	Either Expect = "either"
)

// Defaults expect at least one process.
func (c *Config) Defaults() {
	c.Expect = Alive
	c.Count.Min = 1
	c.Growth.Over, c.Growth.AtLeast = growthOver, growthAtLeast
	c.StopWithin = quantity.Duration(30 * time.Second)
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if len(c.Command) == 0 && c.Exe == "" && c.Pidfile == "" {
		p.Addf("command", "one of command, exe and pidfile must say which process is meant")
	}
	if slices.Contains(c.Command, "") {
		p.Addf("command", "must not hold empty words")
	}
	if c.Exe != "" && !filepath.IsAbs(c.Exe) {
		p.Addf("exe", "must be an absolute path, is %q", c.Exe)
	}
	if !slices.Contains([]Expect{Alive, Absent, Either}, c.Expect) {
		p.Addf("expect", "must be alive, absent or either, is %q", string(c.Expect))
	}
	if c.Count.Min < 0 || c.Count.Max < 0 {
		p.Addf("count", "must not be negative")
	}
	if c.Count.Max > 0 && c.Count.Min > c.Count.Max {
		p.Addf("count", "min (%d) must not be above max (%d)", c.Count.Min, c.Count.Max)
	}
	if c.CloseWait < 0 {
		p.Addf("close_wait", "must not be negative")
	}
	c.Growth.validate(&p)
	c.Workers.validate(&p)
	if c.StopWithin < 0 {
		p.Addf("stop_within", "must not be negative")
	}
	return p
}

// least is how many must run.
func (c *Config) least() int {
	if c.Expect == Alive {
		return max(c.Count.Min, 1)
	}
	return 0
}

// name is how the declared program is called before people.
func (c *Config) name() string {
	switch {
	case len(c.Command) > 0:
		return strings.Join(c.Command, " ")
	case c.Exe != "":
		return c.Exe
	}
	return c.Pidfile
}

// Reach is the processes of whoever runs them; maintain ends those that leak.
func (c *Config) Reach() service.Reach { return service.Reach{Processes: true, Signals: true} }
