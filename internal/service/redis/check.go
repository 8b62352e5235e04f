package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"upkeep/internal/service"
)

// Check asks the server once and judges what it says. A refused login is an
// error: PING is answered with NOAUTH by a server that is alive, and clients
// that look at the exit code take that for health.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	c, err := in.connect(ctx)
	if isFull(err) {
		v.Crit("clients-refused", "", nil) // whoever else connects meets the same
		return v, nil
	}
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	about, err := c.alive()
	if err != nil {
		return v, err
	}
	facts(&v, about)
	if about["loading"] == "1" {
		loading(&v, about)
		return v, nil // nothing else can be told yet
	}
	conf, err := c.config()
	if err != nil {
		return v, err
	}
	if conf == nil {
		v.Unsure("settings-denied", "", service.Args{"user": in.at.user})
	}
	in.memory(&v, about)
	in.clients(&v, about, conf)
	in.persistence(&v, about, conf)
	replication(&v, about)
	in.shared(&v, about)
	own, unread := in.content(c, &v, about)
	return v, errors.Join(unread, in.changes(ctx, c, &v, about, own), in.exposure(ctx, &v, about, conf))
}

// alive demands a PONG; a server that loads its data cannot give one.
func (c *conn) alive() (info, error) {
	pong, err := c.do("PING")
	if err != nil && !isLoading(err) {
		return nil, fmt.Errorf("ping %s: %w", c.address, err)
	}
	if err == nil && pong != "PONG" {
		return nil, fmt.Errorf("ping %s: %w: it says %v", c.address, errProtocol, pong)
	}
	return c.info()
}

func facts(v *service.Verdict, about info) {
	v.Set("version", about.release())
	v.Set("server", about.server())
	v.Set("role", about.role())
	for fact, field := range map[string]string{
		"used_memory": "used_memory", "maxmemory": "maxmemory", "clients": "connected_clients",
		"blocked_clients": "blocked_clients", "uptime_seconds": "uptime_in_seconds",
		"unsaved_changes": "rdb_changes_since_last_save", "replicas": "connected_slaves",
	} {
		if n, ok := about.number(field); ok {
			v.Set(fact, n)
		}
	}
	if ratio, ok := about.ratio("mem_fragmentation_ratio"); ok {
		v.Set("fragmentation", ratio)
	}
	var keys, expiring int64
	spaces := about.keyspaces()
	for _, space := range spaces {
		keys += space.Keys
		expiring += space.Expiring
	}
	v.Set("keys", keys)
	v.Set("expiring", expiring)
	v.Set("keyspace", spaces)
}

func loading(v *service.Verdict, about info) {
	share, _ := about.ratio("loading_loaded_perc")
	left, _ := about.number("loading_eta_seconds")
	v.Crit("loading", "", service.Args{"share": share / 100, "left": left})
}

// config reads the settings that a judgement needs; nil where the login may not.
func (c *conn) config() (map[string]string, error) {
	settings := map[string]string{}
	for _, name := range []string{"save", "bind", "protected-mode", "maxclients"} {
		got, err := c.do("CONFIG", "GET", name)
		if errors.Is(err, service.ErrDenied) || errors.Is(err, service.ErrUnsupported) {
			return nil, nil // managed servers hide CONFIG
		}
		if err != nil {
			return nil, fmt.Errorf("read setting %s of %s: %w", name, c.address, err)
		}
		if pair, ok := got.([]any); ok && len(pair) == 2 {
			settings[name], _ = pair[1].(string)
		}
	}
	return settings, nil
}

// memory: a server that evicts is meant to be full and is judged by its
// evictions.
func (in *Instance) memory(v *service.Verdict, about info) {
	used, known := about.number("used_memory")
	limit, _ := about.number("maxmemory")
	declared := limit > 0
	if limit == 0 {
		limit, _ = about.number("total_system_memory")
	} else if policy := about["maxmemory_policy"]; policy != "noeviction" && policy != "" {
		return
	}
	if !known || limit == 0 {
		v.Unsure("memory-unknown", "", nil)
		return
	}
	share := float64(used) / float64(limit)
	grade(v, "memory-high", share, in.cfg.Memory, service.Args{"used": used, "limit": limit, "share": share, "maxmemory": declared})
	fragmentation(v, about)
}

// fragmentation of a small server means nothing: the program itself is larger
// than its data.
func fragmentation(v *service.Verdict, about info) {
	const most, worthIt = 1.5, 100 << 20
	ratio, _ := about.ratio("mem_fragmentation_ratio")
	lost, _ := about.number("mem_fragmentation_bytes")
	if ratio > most && lost > worthIt {
		v.Warn("fragmentation", "", service.Args{"ratio": ratio, "lost": lost})
	}
}

func (in *Instance) clients(v *service.Verdict, about info, conf map[string]string) {
	used, known := about.number("connected_clients")
	limit, ok := about.number("maxclients")
	if !ok { // before Redis 7 only a setting
		limit, _ = strconv.ParseInt(conf["maxclients"], 10, 64)
	}
	if !known || limit == 0 {
		return
	}
	share := float64(used) / float64(limit)
	grade(v, "clients-high", share, in.cfg.Clients, service.Args{"used": used, "limit": limit, "share": share})
}

func grade(v *service.Verdict, slug string, share float64, limits Limits, args service.Args) {
	switch {
	case limits.Critical > 0 && share >= float64(limits.Critical):
		v.Crit(slug, "", args)
	case limits.Warning > 0 && share >= float64(limits.Warning):
		v.Warn(slug, "", args)
	}
}

// persistence judges what the server does for its data by itself.
func (in *Instance) persistence(v *service.Verdict, about info, conf map[string]string) {
	saved, _ := about.number("rdb_last_save_time")
	age := in.env.Now().Sub(time.Unix(saved, 0))
	v.Set("last_save_seconds", int64(age.Seconds()))
	if conf != nil {
		v.Set("saves", conf["save"] != "") // by itself
	}
	v.Set("aof", about["aof_enabled"] == "1")
	if status := about["rdb_last_bgsave_status"]; status != "ok" && status != "" {
		v.Crit("save-failed", "", service.Args{"age": age.Seconds()})
	}
	unsaved, _ := about.number("rdb_changes_since_last_save")
	limit := in.cfg.Unsaved.Std()
	if conf["save"] != "" && about["aof_enabled"] != "1" && unsaved > 0 && limit > 0 && age > limit {
		v.Warn("save-old", "", service.Args{"age": age.Seconds(), "limit": limit.Seconds(), "changes": unsaved})
	}
	if about["aof_enabled"] != "1" {
		return
	}
	if status := about["aof_last_write_status"]; status != "ok" && status != "" {
		v.Crit("aof-write-failed", "", nil)
	}
	if status := about["aof_last_bgrewrite_status"]; status != "ok" && status != "" {
		v.Warn("aof-rewrite-failed", "", nil)
	}
}

func replication(v *service.Verdict, about info) {
	if about.role() == "replica" && about["master_link_status"] != "up" {
		since, _ := about.number("master_link_down_since_seconds")
		v.Crit("primary-link-down", "", service.Args{"primary": net.JoinHostPort(about["master_host"], about["master_port"]), "since": since})
	}
	const late = 10 // seconds; a replica reports every second
	for i := 0; ; i++ {
		line, ok := about[fmt.Sprintf("slave%d", i)]
		if !ok {
			return
		}
		numbers := pairs(line)
		name := fmt.Sprintf("%s:%d", field(line, "ip"), numbers["port"])
		switch state := field(line, "state"); {
		case state != "online":
			v.Warn("replica-not-online", name, service.Args{"replica": name, "state": state})
		case numbers["lag"] > late:
			v.Warn("replica-lags", name, service.Args{"replica": name, "lag": numbers["lag"]})
		}
	}
}

// field returns one value of "ip=10.0.0.2,port=6379".
func field(line, name string) string {
	for pair := range strings.SplitSeq(line, ",") {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// exposure tries what a stranger would: a command without a login.
func (in *Instance) exposure(ctx context.Context, v *service.Verdict, about info, conf map[string]string) (err error) {
	bind := conf["bind"]
	// Before Redis 7 an explicit bind lifted protected mode.
	protected := conf["protected-mode"] == "yes" && (bind == "" || !about.version().before(7, 0))
	if conf == nil || in.at.network == "unix" || protected || loopbackOnly(bind) {
		return nil
	}
	c, err := in.at.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	switch _, err := c.do("PING"); {
	case err == nil:
		v.Warn("no-password", "", service.Args{"bind": bind})
	case !errors.Is(err, service.ErrDenied):
		return fmt.Errorf("try %s without a login: %w", in.at.address, err)
	}
	return nil
}

// loopbackOnly reads the bind setting; "" and "*" are every address, and "-"
// marks an address that may be missing.
func loopbackOnly(bind string) bool {
	for address := range strings.FieldsSeq(bind) {
		ip := net.ParseIP(strings.TrimPrefix(address, "-"))
		if ip == nil || !ip.IsLoopback() {
			return false
		}
	}
	return bind != ""
}
