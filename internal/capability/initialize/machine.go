package initialize

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	gnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"

	"upkeep/internal/service"
)

// Listener is a TCP port of this machine on which a program waits.
type Listener struct {
	IP      string
	Port    uint32
	Program string   // empty where the process belongs to somebody else
	Args    []string // never shown: they may hold a password
}

// listening asks the kernel. What belongs to another user has no program.
func listening(ctx context.Context) ([]Listener, error) {
	connections, err := gnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return nil, fmt.Errorf("list listening ports: %w", err)
	}
	var all []Listener
	for _, c := range connections {
		if c.Status != "LISTEN" {
			continue
		}
		l := Listener{IP: c.Laddr.IP, Port: c.Laddr.Port}
		if p, err := process.NewProcessWithContext(ctx, c.Pid); err == nil && c.Pid > 0 {
			// It may have ended since, or not be ours to look at: then the port has to do.
			l.Program, _ = p.NameWithContext(ctx)
			l.Args, _ = p.CmdlineSliceWithContext(ctx)
		}
		all = append(all, l)
	}
	return all, nil
}

// machine declares what listens here and what lies in the directory, where there
// is no compose file.
func (s *survey) machine(ctx context.Context, env *environment) {
	s.system = validName(filepath.Base(s.opt.Dir))
	s.head = message("head-machine", service.Args{"dir": s.opt.Dir})
	all, err := s.opt.Machine.listening(ctx)
	if err != nil {
		s.note("no-listing", nil)
	}
	slices.SortFunc(all, func(a, b Listener) int {
		if a.Port != b.Port {
			return int(a.Port) - int(b.Port)
		}
		return strings.Compare(a.IP, b.IP)
	})
	seen := map[uint32]bool{}
	for _, l := range all {
		if !seen[l.Port] && s.listener(l, env) {
			seen[l.Port] = true
		}
	}
	p := &places{}
	p.addConfig(s.opt.Dir)
	s.recognize(p, s.opt.Dir, levels)
	p.search(s.opt.Dir, 1)
	p.searchFiles(s.opt.Dir)
	s.files(p)
}

// listener declares one listening server and reports whether it did.
func (s *survey) listener(l Listener, env *environment) bool {
	kind := serverOf(l)
	if kind == "" || !s.known(kind) {
		return false
	}
	host := l.IP
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := net.JoinHostPort(host, strconv.Itoa(int(l.Port)))
	t := target{name: s.name(firstNonEmpty(l.Program, kind)), kind: kind, address: address,
		about: []service.Message{aboutListener(l, kind, address)}}
	switch kind {
	case "postgres":
		s.localPostgres(&t, env)
	case "redis":
		s.localRedis(&t, l, env)
	default:
		scheme := "http"
		if l.Port == 443 || l.Port == 8443 {
			scheme = "https"
		}
		t.about = append(t.about, message("guess-page", nil))
		t.keys = yaml.MapSlice{{Key: "url", Value: scheme + "://" + address + "/"}, {Key: "follow_redirects", Value: true}}
	}
	s.targets = append(s.targets, t)
	return true
}

func aboutListener(l Listener, kind, address string) service.Message {
	if l.Program == "" {
		return message("about-port", service.Args{"kind": kind, "address": address})
	}
	return message("about-listener", service.Args{"program": l.Program, "address": address})
}

// serverOf goes by the program, then by its first arguments (python -m uvicorn),
// then by the port that a server has everywhere.
func serverOf(l Listener) string {
	for _, word := range append([]string{l.Program}, l.Args[:min(len(l.Args), 4)]...) {
		first, _, _ := strings.Cut(word, " ") // servers write their own argument list over: "nginx: master process"
		switch strings.TrimSuffix(filepath.Base(first), ":") {
		case "postgres", "postmaster":
			return "postgres"
		case "redis-server", "valkey-server":
			return "redis"
		case "nginx", "apache2", "httpd", "caddy", "traefik", "haproxy", "uvicorn", "gunicorn":
			return "endpoint"
		}
	}
	switch {
	case l.Program != "":
		return ""
	case l.Port == 5432:
		return "postgres"
	case l.Port == 6379:
		return "redis"
	}
	return ""
}

// localPostgres takes user and database from .env where they stand there under
// their usual names.
func (s *survey) localPostgres(t *target, env *environment) {
	user := env.dotenv["POSTGRES_USER"]
	if user == "" {
		user = "postgres"
		t.about = append(t.about, message("guess-user", nil))
	}
	at := url.URL{Scheme: "postgres", User: url.User(user), Host: t.address, Path: "/" + firstNonEmpty(env.dotenv["POSTGRES_DB"], user)}
	t.keys = yaml.MapSlice{{Key: "url", Value: at.String()}}
	if env.dotenv["POSTGRES_PASSWORD"] != "" {
		t.keys = append(t.keys, yaml.MapItem{Key: "password", Value: "dotenv:.env#POSTGRES_PASSWORD"})
		return
	}
	s.wants(t)
}

func (s *survey) localRedis(t *target, l Listener, env *environment) {
	t.keys = yaml.MapSlice{{Key: "url", Value: "redis://" + t.address + "/0"}}
	switch {
	case env.dotenv["REDIS_PASSWORD"] != "":
		t.keys = append(t.keys, yaml.MapItem{Key: "password", Value: "dotenv:.env#REDIS_PASSWORD"})
	case slices.Contains(l.Args, "--requirepass"):
		s.password(t, &found{})
	default:
		s.wants(t)
	}
}

// wants says where a password goes if the server asks for one.
func (s *survey) wants(t *target) {
	t.about = append(t.about, message("maybe-password", service.Args{"file": "secrets/" + t.name}))
}
