package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// info is what INFO says, by field.
type info map[string]string

// info asks on a connection of its own.
func (in *Instance) info(ctx context.Context) (about info, err error) {
	c, err := in.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.info()
}

func (c *conn) info() (info, error) {
	got, err := c.do("INFO")
	if err != nil {
		return nil, fmt.Errorf("ask %s about itself: %w", c.address, err)
	}
	text, ok := got.(string)
	if !ok {
		return nil, fmt.Errorf("ask %s about itself: %w", c.address, errProtocol)
	}
	return parseInfo(text), nil
}

func parseInfo(text string) info {
	about := info{}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if found && !strings.HasPrefix(name, "#") {
			about[name] = value
		}
	}
	return about
}

func (i info) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(i[name], 10, 64)
	return n, err == nil
}

func (i info) ratio(name string) (float64, bool) {
	n, err := strconv.ParseFloat(i[name], 64)
	return n, err == nil
}

// server is "redis" or "valkey".
func (i info) server() string {
	if name := i["server_name"]; name != "" {
		return name
	}
	return "redis"
}

// release is the server's own version text: Valkey also gives a redis_version,
// for the sake of clients.
func (i info) release() string {
	if v := i["valkey_version"]; v != "" {
		return v
	}
	return i["redis_version"]
}

func (i info) version() version { return parseVersion(i.release()) }

// role is "primary" or "replica".
func (i info) role() string {
	if i["role"] == "slave" {
		return "replica"
	}
	return "primary"
}

// keyspace is what INFO says of one database.
type keyspace struct {
	Keys     int64 `json:"keys"`
	Expiring int64 `json:"expiring"`
}

// keyspaces returns the databases that hold keys, by name: "db0".
func (i info) keyspaces() map[string]keyspace {
	all := map[string]keyspace{}
	for name, value := range i {
		index, isDB := strings.CutPrefix(name, "db")
		if _, err := strconv.Atoi(index); !isDB || err != nil {
			continue
		}
		fields := pairs(value)
		all[name] = keyspace{Keys: fields["keys"], Expiring: fields["expires"]}
	}
	return all
}

// pairs reads "keys=3,expires=1"; what is not a number is left out.
func pairs(text string) map[string]int64 {
	fields := map[string]int64{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(pair, "=")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			fields[name] = n
		}
	}
	return fields
}

// version is the first two numbers of a release.
type version struct{ major, minor int }

// parseVersion finds the first "N.N" in text such as "7.0.15" or
// "Redis server v=7.0.15 sha=…". The zero value is an unknown version.
func parseVersion(text string) version {
	for i := range len(text) {
		var v version
		if n, _ := fmt.Sscanf(text[i:], "%d.%d", &v.major, &v.minor); n == 2 {
			return v
		}
	}
	return version{}
}

func (v version) before(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}
