package redis

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
)

// Config declares one server.
type Config struct {
	// URL is redis://[USER@]HOST[:PORT][/DB], rediss:// for TLS, or
	// unix://[USER@]/PATH/TO/SOCKET[?db=DB]; never with a password in it.
	URL      string     `yaml:"url"`
	Password secret.Ref `yaml:"password"`
	CA       string     `yaml:"ca"` // PEM file with the authority of a rediss:// server; empty = the system's

	Memory  Limits `yaml:"memory"`  // share of maxmemory, or of the machine's memory where that is not set
	Clients Limits `yaml:"clients"` // share of maxclients
	// Unsaved is how long writes may wait for a save, where the server saves by
	// itself; 0 accepts any age.
	Unsaved quantity.Duration `yaml:"unsaved"`

	WithoutTTL WithoutTTL     `yaml:"without_ttl"`
	BigKey     quantity.Bytes `yaml:"big_key"` // memory that one key may take; 0 accepts any
	// OtherDatabases may hold keys beside the one in url.
	OtherDatabases []int   `yaml:"other_databases"`
	HitRate        HitRate `yaml:"hit_rate"`
	// SlowCommands is how many new entries of the slow log since the last check are a
	// finding; 0 accepts any number.
	SlowCommands int `yaml:"slow_commands"`
}

// Limits are the shares from which a finding is raised.
type Limits struct {
	Warning  quantity.Share `yaml:"warning"`
	Critical quantity.Share `yaml:"critical"`
}

// Defaults fills in what most servers need.
func (c *Config) Defaults() {
	c.Memory = Limits{Warning: 0.8, Critical: 0.95}
	c.Clients = Limits{Warning: 0.8, Critical: 0.95}
	c.Unsaved = quantity.Duration(24 * time.Hour)
	c.WithoutTTL = WithoutTTL{Share: 0.5, Keys: 100_000}
	c.BigKey = 64 << 20
	c.HitRate = HitRate{Warning: 0.5, Lookups: 10_000}
	c.SlowCommands = 10
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	switch _, err := parseURL(c.URL); {
	case errors.Is(err, errPasswordInURL):
		p.Addf("url", passwordInURL)
	case errors.Is(err, errDatabase):
		p.Addf("url", badDatabase)
	case err != nil:
		p.Addf("url", badURL)
	}
	c.Memory.validate("memory", &p)
	c.Clients.validate("clients", &p)
	for path, n := range map[string]int64{"without_ttl.keys": c.WithoutTTL.Keys, "hit_rate.lookups": c.HitRate.Lookups, "slow_commands": int64(c.SlowCommands)} {
		if n < 0 {
			p.Addf(path, "must not be negative")
		}
	}
	return p
}

func (l Limits) validate(path string, p *diag.List) {
	if l.Warning > l.Critical {
		p.Addf(path, "warning must not be above critical, is %s over %s", l.Warning, l.Critical)
	}
}

// endpoint is where and as whom to log in.
type endpoint struct {
	network, address string // as net.Dial takes them
	tls              bool
	ca               string // PEM file, absolute; empty = the system's authorities
	user             string // empty = the default user
	db               int
}

const (
	passwordInURL = "must not hold a password: put a reference under password:"
	badDatabase   = "the database must be a number from 0"
	badURL        = "must be redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH/TO/SOCKET?db=DB"
)

var (
	errPasswordInURL = errors.New(passwordInURL)
	errDatabase      = errors.New(badDatabase)
	errURL           = errors.New(badURL)
)

// parseURL never repeats the text in an error: it may hold a password.
func parseURL(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil {
		return endpoint{}, errURL
	}
	if _, has := u.User.Password(); has {
		return endpoint{}, errPasswordInURL
	}
	at := endpoint{network: "tcp", tls: u.Scheme == "rediss", user: u.User.Username()}
	db := strings.TrimPrefix(u.Path, "/")
	switch u.Scheme {
	case "redis", "rediss":
		at.address, err = hostPort(u)
	case "unix":
		at.network, at.address, db = "unix", u.Path, u.Query().Get("db")
		if u.Host != "" || u.Path == "" {
			err = errURL
		}
	default:
		err = errURL
	}
	if err != nil {
		return endpoint{}, err
	}
	if db != "" {
		if at.db, err = strconv.Atoi(db); err != nil || at.db < 0 {
			return endpoint{}, errDatabase
		}
	}
	return at, nil
}

func hostPort(u *url.URL) (string, error) {
	if u.Hostname() == "" {
		return "", errURL
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}
