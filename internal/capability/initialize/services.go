package initialize

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"upkeep/internal/service"
)

// family is what a service stores, as far as its image tells.
type family string

const (
	postgresFamily family = "postgres"
	redisFamily    family = "redis"
	neo4jFamily    family = "neo4j"
	minioFamily    family = "minio"
	rabbitFamily   family = "rabbitmq"
	otherStore     family = "store" // keeps data that no kind of this version copies
	noStore        family = ""
)

// familyOf goes by the last word of the image's name, then by the port of a
// container whose image says nothing.
func familyOf(svc types.ServiceConfig) family {
	name := path.Base(strings.SplitN(svc.Image, "@", 2)[0])
	name, _, _ = strings.Cut(name, ":")
	switch strings.ToLower(name) {
	case "postgres", "postgresql", "pgvector", "timescaledb", "timescaledb-ha", "postgis":
		return postgresFamily
	case "redis", "valkey", "redis-stack", "redis-stack-server":
		return redisFamily
	case "neo4j":
		return neo4jFamily
	case "minio":
		return minioFamily
	case "rabbitmq":
		return rabbitFamily
	case "mysql", "mariadb", "mongo", "mongodb", "elasticsearch", "opensearch", "clickhouse",
		"clickhouse-server", "influxdb", "kafka", "memcached", "cassandra", "etcd", "qdrant", "milvus", "weaviate", "chroma",
		"zookeeper", "nats", "mssql", "server-mssql", "couchdb", "solr", "vault", "consul", "keydb", "dragonfly":
		return otherStore
	}
	switch {
	case hasPort(svc, 5432):
		return postgresFamily
	case hasPort(svc, 6379):
		return redisFamily
	}
	return noStore
}

func hasPort(svc types.ServiceConfig, port uint32) bool {
	return slices.ContainsFunc(svc.Ports, func(p types.ServicePortConfig) bool { return p.Target == port })
}

// services declares stores first, because what runs on them waits for them.
func (s *survey) services(ctx context.Context, st *stack) {
	all := slices.SortedFunc(maps.Values(st.project.Services), func(a, b types.ServiceConfig) int {
		return strings.Compare(a.Name, b.Name)
	})
	for _, svc := range all {
		s.envFiles(st, svc)
		switch familyOf(svc) {
		case postgresFamily:
			s.store(ctx, st, svc, "postgres", 5432, s.postgres)
		case redisFamily:
			s.store(ctx, st, svc, "redis", 6379, s.redis)
		case neo4jFamily:
			s.store(ctx, st, svc, "neo4j", 7687, s.neo4j)
		case minioFamily:
			s.bucket(ctx, st, svc)
		case rabbitFamily:
			s.broker(ctx, st, svc)
		}
	}
	for _, svc := range all {
		if f := familyOf(svc); (f == noStore || f == otherStore) && !s.workers(svc) {
			s.endpoint(svc, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.project.DisabledServices)) {
		s.leave("profile", service.Args{"service": name, "profiles": st.project.DisabledServices[name].Profiles})
	}
}

// about says where a target comes from.
func about(svc types.ServiceConfig) service.Message {
	if svc.Image == "" {
		return message("about-built", service.Args{"service": svc.Name})
	}
	return message("about-service", service.Args{"service": svc.Name, "image": svc.Image})
}

// begin makes the target of a compose service.
func (s *survey) begin(svc types.ServiceConfig, kind, address string) target {
	t := target{name: s.name(svc.Name), kind: kind, about: []service.Message{about(svc)}, address: address}
	if t.name != svc.Name {
		t.title = oneLine(svc.Name)
	}
	s.byService[svc.Name] = t.name
	return t
}

// filler completes a target with what its kind wants to know.
type filler func(ctx context.Context, st *stack, svc types.ServiceConfig, t *target)

// store declares a server that a kind of this version copies, where its port can
// be reached.
func (s *survey) store(ctx context.Context, st *stack, svc types.ServiceConfig, kind string, port uint32, fill filler) {
	address, ok := published(svc, port)
	switch {
	case !s.known(kind):
		s.leave("not-yet", leftArgs(svc))
	case !ok:
		s.leave("not-published", service.Args{"service": svc.Name, "port": int(port)})
	default:
		t := s.begin(svc, kind, address)
		fill(ctx, st, svc, &t)
		if s.stack != "" {
			t.runsIn = s.stack + "/" + svc.Name
		}
		s.targets = append(s.targets, t)
	}
}

func leftArgs(svc types.ServiceConfig) service.Args {
	return service.Args{"service": svc.Name, "image": firstNonEmpty(svc.Image, "-")}
}

func (s *survey) postgres(ctx context.Context, st *stack, svc types.ServiceConfig, t *target) {
	values := st.variables(svc)
	user := firstNonEmpty(values["POSTGRES_USER"], values["POSTGRESQL_USERNAME"], values["POSTGRESQL_USER"])
	if user == "" {
		user = "postgres"
		t.about = append(t.about, message("guess-user", nil))
	}
	database := firstNonEmpty(values["POSTGRES_DB"], values["POSTGRESQL_DATABASE"], user)
	at := url.URL{Scheme: "postgres", User: url.User(user), Host: t.address, Path: "/" + database}
	t.keys = yaml.MapSlice{{Key: "url", Value: at.String()}}
	if values["POSTGRES_HOST_AUTH_METHOD"] == "trust" || values["ALLOW_EMPTY_PASSWORD"] == "yes" {
		t.about = append(t.about, message("no-password", nil))
		return
	}
	s.password(t, st.variableSecret(ctx, svc, "POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD"))
}

func (s *survey) redis(ctx context.Context, st *stack, svc types.ServiceConfig, t *target) {
	t.keys = yaml.MapSlice{{Key: "url", Value: "redis://" + t.address + "/0"}}
	found := st.commandSecret(ctx, svc, "--requirepass")
	if found == nil && st.has(svc, "REDIS_PASSWORD", "REDIS_PASSWORD_FILE", "VALKEY_PASSWORD") {
		found = st.variableSecret(ctx, svc, "REDIS_PASSWORD", "VALKEY_PASSWORD")
	}
	s.password(t, found)
}

// endpoint declares the health address of a service, or its first page where its
// port is one of those that pages are served on. A store whose data no kind
// copies is named as such even when its health can be watched.
func (s *survey) endpoint(svc types.ServiceConfig, f family) {
	at, port := healthURL(svc)
	guessed := false
	if at == nil && f == noStore {
		at, port = firstPage(svc)
		guessed = true
	}
	if at == nil || f == otherStore || !s.known("endpoint") {
		s.leave("not-yet", leftArgs(svc))
	}
	if at == nil || !s.known("endpoint") {
		return
	}
	address, ok := published(svc, port)
	if !ok {
		s.leave("not-published", service.Args{"service": svc.Name, "port": int(port)})
		return
	}
	at.Host = address
	t := s.begin(svc, "endpoint", address)
	t.keys = yaml.MapSlice{{Key: "url", Value: at.String()}}
	switch {
	case f == otherStore:
		t.about = append(t.about, message("only-health", nil))
	case guessed:
		t.about = append(t.about, message("guess-page", nil))
		t.keys = append(t.keys, yaml.MapItem{Key: "follow_redirects", Value: true})
	default:
		t.about = append(t.about, message("health", nil))
	}
	t.after = s.waitsFor(svc)
	s.targets = append(s.targets, t)
}

// waitsFor names the declared stores that a service depends on. Only stores: they
// wait for nothing themselves, so that no circle can come of it.
func (s *survey) waitsFor(svc types.ServiceConfig) []string {
	var names []string
	for _, other := range slices.Sorted(maps.Keys(svc.DependsOn)) {
		name := s.byService[other]
		if slices.ContainsFunc(s.targets, func(t target) bool { return t.name == name && t.kind != "endpoint" }) {
			names = append(names, name)
		}
	}
	return names
}

// published returns where a port of a container is reached from this machine.
func published(svc types.ServiceConfig, port uint32) (address string, ok bool) {
	if svc.NetworkMode == "host" {
		return fmt.Sprintf("127.0.0.1:%d", port), true
	}
	for _, p := range svc.Ports {
		number, err := strconv.ParseUint(p.Published, 10, 16)
		if p.Target != port || p.Protocol == "udp" || err != nil || number == 0 {
			continue
		}
		host := p.HostIP
		if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, p.Published), true
	}
	return "", false
}
