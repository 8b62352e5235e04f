package neo4j

import (
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// Config declares one database.
type Config struct {
	// URL is bolt://HOST[:PORT], or bolt+s:// for TLS; never with a password in it.
	URL      string     `yaml:"url"`
	User     string     `yaml:"user"`
	Password secret.Ref `yaml:"password"`
	CA       string     `yaml:"ca"` // PEM file with the authority of a bolt+s:// server; empty = the system's
	Database string     `yaml:"database"`

	// Copy is online, or dump: the server is stopped for each copy, and the copy is of
	// one moment.
	Copy string `yaml:"copy"`
	Dump Dump   `yaml:"dump"`

	Constraints []Unique `yaml:"constraints"` // uniqueness, the one sort that Community has
	Indexes     []Range  `yaml:"indexes"`
	Orphans     []Orphan `yaml:"orphans"`
}

// Dump says how the server may be stopped, for copies by dump and for restoring them.
type Dump struct {
	StopAtMost quantity.Duration `yaml:"stop_at_most"` // for stopping and dumping; then it is started, whatever there is by then
	// Data is the server's data directory on this machine, with databases/ and
	// transactions/ in it: that of a container is the mount point of its volume. Empty =
	// neo4j-admin runs in a container of the server's own image.
	Data string `yaml:"data"`
}

// What Copy may say.
const (
	online = "online"
	dumped = "dump"
)

// approval is what a job must approve to stop the server for a copy.
const approval = "neo4j.dump"

// Stops is how long a copy may stop the server.
func (c *Config) Stops() service.Stops {
	if c.Copy != dumped {
		return service.Stops{}
	}
	return service.Stops{Approval: approval, AtMost: time.Duration(c.Dump.StopAtMost)}
}

// Unique wants a property, or several together, to be unique among the nodes of a
// label.
type Unique struct {
	Label      string   `yaml:"label"`
	Properties []string `yaml:"properties"`
	Name       string   `yaml:"name"` // for the one that upkeep makes; empty = the server chooses
}

// Range wants an index for equality and ranges on the nodes of a label.
type Range struct {
	Label      string   `yaml:"label"`
	Properties []string `yaml:"properties"`
	Name       string   `yaml:"name"`
}

// Orphan is a rule for nodes that may go: of this label, without any relationship,
// older than a limit and named by no row of another store.
type Orphan struct {
	Label     string            `yaml:"label"`
	OlderThan quantity.Duration `yaml:"older_than"`
	Since     string            `yaml:"since"`   // property with the time of making; a node without a readable one stays
	KeepIf    KeepIf            `yaml:"keep_if"` // asks another target; left out = only the rest of the rule counts
	AtMost    AtMost            `yaml:"at_most"` // over it nothing is deleted
}

// KeepIf names rows whose first column keeps the node with this value in a property.
type KeepIf struct {
	Target   string `yaml:"target"`
	Query    string `yaml:"query"`
	Property string `yaml:"property"`
}

// asks reports whether there is anything of it.
func (k KeepIf) asks() bool { return k != KeepIf{} }

// AtMost is a cap: a share of the label's nodes, or a number of nodes.
type AtMost struct {
	Share quantity.Share
	Nodes int64 // 0 = the share counts
}

const badAtMost = "must be a share such as 5%% or a whole number of nodes, is %q"

// UnmarshalYAML reads 5% or 200.
func (a *AtMost) UnmarshalYAML(decode func(any) error) error {
	var written string
	if err := decode(&written); err != nil {
		return err
	}
	if n, err := strconv.ParseInt(written, 10, 64); err == nil && n > 0 {
		*a = AtMost{Nodes: n}
		return nil
	}
	share, err := quantity.ParseShare(written)
	if err != nil || !strings.HasSuffix(written, "%") {
		return &quantity.Mistake{Format: badAtMost, Args: []any{written}}
	}
	*a = AtMost{Share: share}
	return nil
}

// JSONSchema describes both forms to editors.
func (AtMost) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Description: "a share such as 5% or a number of nodes",
		Examples:    []any{"5%", 200},
		OneOf:       []*jsonschema.Schema{{Type: "integer", Minimum: "1"}, {Type: "string", Pattern: `^[0-9.]+%?$`}},
	}
}

// of is how many of a label's nodes may go.
func (a AtMost) of(nodes int64) int64 {
	if a.Nodes > 0 {
		return a.Nodes
	}
	return int64(float64(a.Share) * float64(nodes))
}

// Defaults fills in what most servers need.
func (c *Config) Defaults() {
	c.User, c.Database, c.Copy = "neo4j", "neo4j", online
}

const (
	passwordInURL = "must not hold a password: put a reference under password:"
	badURL        = "must be bolt://HOST:PORT or bolt+s://HOST:PORT"
	wanted        = "is needed"
)

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	switch _, err := c.address(); {
	case errors.Is(err, errPasswordInURL):
		p.Addf("url", passwordInURL)
	case err != nil:
		p.Addf("url", badURL)
	}
	if c.Copy != online && c.Copy != dumped {
		p.Addf("copy", "must be online or dump, is %q", c.Copy)
	}
	if c.Dump.StopAtMost < 0 || c.Copy == dumped && c.Dump.StopAtMost == 0 {
		p.Addf("dump.stop_at_most", "must say for how long the server may be stopped: 10m")
	}
	for i, u := range c.Constraints {
		needed(&p, at("constraints", i, "label"), u.Label != "")
		needed(&p, at("constraints", i, "properties"), len(u.Properties) > 0)
	}
	for i, r := range c.Indexes {
		needed(&p, at("indexes", i, "label"), r.Label != "")
		needed(&p, at("indexes", i, "properties"), len(r.Properties) > 0)
	}
	for i, o := range c.Orphans {
		o.validate(i, &p)
	}
	return p
}

func (o Orphan) validate(i int, p *diag.List) {
	needed(p, at("orphans", i, "label"), o.Label != "")
	needed(p, at("orphans", i, "older_than"), o.OlderThan > 0)
	needed(p, at("orphans", i, "since"), o.Since != "")
	needed(p, at("orphans", i, "at_most"), o.AtMost != AtMost{})
	if k := o.KeepIf; k.asks() {
		needed(p, at("orphans", i, "keep_if.target"), k.Target != "")
		needed(p, at("orphans", i, "keep_if.query"), k.Query != "")
		needed(p, at("orphans", i, "keep_if.property"), k.Property != "")
	}
}

func needed(p *diag.List, path string, there bool) {
	if !there {
		p.Addf(path, wanted)
	}
}

// at spells the path of a key in a list as the loader does.
func at(list string, i int, key string) string {
	return list + "[" + strconv.Itoa(i) + "]." + key
}

// Peers are the targets that orphan rules ask.
func (c *Config) Peers() (refs []service.PeerRef) {
	for i, o := range c.Orphans {
		if o.KeepIf.Target != "" {
			refs = append(refs, service.PeerRef{Path: at("orphans", i, "keep_if.target"), Target: o.KeepIf.Target})
		}
	}
	return refs
}

var (
	errPasswordInURL = errors.New("the address holds a password")
	errURL           = errors.New(badURL)
)

// address never repeats the text in an error: it may hold a password.
func (c *Config) address() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errURL
	}
	if _, has := u.User.Password(); has {
		return nil, errPasswordInURL
	}
	if u.Scheme != "bolt" && u.Scheme != "bolt+s" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return nil, errURL
	}
	port := u.Port()
	if port == "" {
		port = "7687"
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(u.Hostname(), port)}, nil
}
