package postgres

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
)

// Config declares one server.
type Config struct {
	// URL names the server, the role and the database to log in to:
	// postgres://user@host:5432/db, or postgres:///db?host=/run/postgresql&user=u.
	URL      string     `yaml:"url"`
	Password secret.Ref `yaml:"password"`
	// Databases that belong to the target. Empty means all that allow connections.
	Databases []string `yaml:"databases"`
	// Exclude leaves a whole database ("scratch_*") or the rows of tables
	// ("db.schema.table", with * for any text) out of copies.
	Exclude         []string          `yaml:"exclude"`
	Connections     Limits            `yaml:"connections"`      // used share of the connections that ordinary roles have
	LongTransaction quantity.Duration `yaml:"long_transaction"` // 0 switches it off
	Pools           []Pool            `yaml:"pools"`
	Slow            Slow              `yaml:"slow"`
	Vacuum          Vacuum            `yaml:"vacuum"`
	Reindex         Reindex           `yaml:"reindex"`
	Care            Care              `yaml:"care"`
}

// Limits are shares at which a finding is a warning or critical. 0 switches one off.
type Limits struct {
	Warning  quantity.Share `yaml:"warning"`
	Critical quantity.Share `yaml:"critical"`
}

// Pool is what one application may open at most: processes × (size + overflow).
type Pool struct {
	Name      string `yaml:"name"`
	Processes int    `yaml:"processes"`
	Size      int    `yaml:"size"`
	Overflow  int    `yaml:"overflow"`
}

func (p Pool) max() int { return max(p.Processes, 1) * (p.Size + p.Overflow) }

// Defaults are for a server that an application uses all day.
func (c *Config) Defaults() {
	c.Connections = Limits{Warning: 0.80, Critical: 0.95}
	c.LongTransaction = quantity.Duration(time.Hour)
	c.Slow = Slow{Mean: quantity.Duration(500 * time.Millisecond), Calls: 10}
	c.Vacuum = Vacuum{Dead: 0.20, Modified: 0.20, Freeze: 0.75, Rows: 1000}
	c.Reindex = Reindex{Bloat: 0.50, Size: 64 << 20}
	c.Care = Care{LockTimeout: quantity.Duration(10 * time.Second), Timeout: quantity.Duration(6 * time.Hour)}
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	validateURL(c.URL, &p)
	for i, name := range c.Databases {
		if name == "" {
			p.Addf(fmt.Sprintf("databases[%d]", i), "must name a database")
		}
	}
	for i, pattern := range c.Exclude {
		if dots := strings.Count(pattern, "."); pattern == "" || dots == 1 {
			p.Addf(fmt.Sprintf("exclude[%d]", i), "must be DATABASE or DATABASE.SCHEMA.TABLE, is %q", pattern)
		}
	}
	if c.Connections.Critical > 0 && c.Connections.Warning > c.Connections.Critical {
		p.Addf("connections", "warning (%s) must not be above critical (%s)", c.Connections.Warning, c.Connections.Critical)
	}
	if c.Slow.Calls < 1 {
		p.Addf("slow.calls", "must be at least 1, is %d", c.Slow.Calls)
	}
	if c.Vacuum.Rows < 0 {
		p.Addf("vacuum.rows", "must not be negative")
	}
	if c.Care.LockTimeout <= 0 {
		p.Addf("care.lock_timeout", "must be above 0: a statement of maintenance must not wait for ever")
	}
	for i, pool := range c.Pools {
		pool.validate(fmt.Sprintf("pools[%d]", i), &p)
	}
	return p
}

// validateURL never repeats the text: it may hold a password.
func validateURL(text string, p *diag.List) {
	if text == "" {
		p.Addf("url", "is missing: postgres://user@host:5432/database")
		return
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		p.Addf("url", "must be an address such as postgres://user@host:5432/database")
		return
	}
	query := u.Query()
	if u.User.Username() == "" && query.Get("user") == "" {
		p.Addf("url", "names no user: postgres://user@host:5432/database")
	}
	if u.Host == "" && query.Get("host") == "" {
		p.Addf("url", "names no host: postgres://user@host:5432/database or ?host=/run/postgresql for a socket")
	}
	if strings.Trim(u.Path, "/") == "" && query.Get("dbname") == "" {
		p.Addf("url", "names no database: postgres://user@host:5432/database")
	}
}

func (p Pool) validate(path string, problems *diag.List) {
	if p.Name == "" {
		problems.Addf(path+".name", "must name the application")
	}
	if p.Size < 1 {
		problems.Addf(path+".size", "must be at least 1, is %d", p.Size)
	}
	if p.Processes < 0 || p.Overflow < 0 {
		problems.Addf(path, "processes and overflow must not be negative")
	}
}

// leavesOut reports whether the whole database is excluded.
func (c *Config) leavesOut(database string) bool {
	for _, pattern := range c.Exclude {
		if !strings.Contains(pattern, ".") && matches(pattern, database) {
			return true
		}
	}
	return false
}

// leavesOutRows reports whether the rows of a table are excluded.
func (c *Config) leavesOutRows(database, schema, table string) bool {
	for _, pattern := range c.Exclude {
		if strings.Contains(pattern, ".") && matches(pattern, database+"."+schema+"."+table) {
			return true
		}
	}
	return false
}

// matches compares name with a pattern in which * stands for any text, dots
// included.
func matches(pattern, name string) bool {
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return pattern == name
	}
	first, last := pieces[0], pieces[len(pieces)-1]
	if !strings.HasPrefix(name, first) {
		return false
	}
	name = name[len(first):]
	for _, piece := range pieces[1 : len(pieces)-1] {
		i := strings.Index(name, piece)
		if i < 0 {
			return false
		}
		name = name[i+len(piece):]
	}
	return strings.HasSuffix(name, last)
}

// hasPassword reports whether the address itself holds a password.
func hasPassword(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	_, has := u.User.Password()
	return has || u.Query().Has("password")
}
