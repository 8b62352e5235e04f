package initialize

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"upkeep/internal/service"
)

// stackTarget is the project itself: the state of every service, by the engine.
const stackTarget = "stack"

// project declares the compose project as a whole.
func (s *survey) project(st *stack) {
	if !s.known("compose") {
		return
	}
	files := []any{}
	for _, name := range st.names() {
		files = append(files, name)
	}
	s.stack = s.name(stackTarget)
	s.targets = append(s.targets, target{name: s.stack, kind: "compose", about: []service.Message{message("about-stack", nil)},
		keys: yaml.MapSlice{{Key: "files", Value: files}}})
}

// neo4j takes user and password from NEO4J_AUTH, which is USER/PASSWORD or none.
func (s *survey) neo4j(ctx context.Context, st *stack, svc types.ServiceConfig, t *target) {
	auth := st.variables(svc)["NEO4J_AUTH"]
	user, password, both := strings.Cut(auth, "/")
	if !both {
		user = "neo4j"
	}
	t.keys = yaml.MapSlice{{Key: "url", Value: "bolt://" + t.address}, {Key: "user", Value: user}}
	if auth == "none" {
		t.about = append(t.about, message("no-password", nil))
		return
	}
	written := oneVariable(strings.TrimPrefix(st.rawVariable(svc.Name, "NEO4J_AUTH"), user+"/"))
	f := st.choose(ctx, password, written, st.ofVariable(written))
	if f == nil {
		f = &found{}
	}
	s.password(t, f)
}

// rabbitmq asks the management API as well: it must be published too.
func (s *survey) rabbitmq(ctx context.Context, st *stack, svc types.ServiceConfig, t *target) {
	values := st.variables(svc)
	management, _ := published(svc, managementPort)
	user := firstNonEmpty(values["RABBITMQ_DEFAULT_USER"], "guest")
	at := url.URL{Scheme: "amqp", User: url.User(user), Host: t.address, Path: "/" + values["RABBITMQ_DEFAULT_VHOST"]}
	t.keys = yaml.MapSlice{{Key: "url", Value: at.String()}, {Key: "management", Value: "http://" + management}}
	f := st.variableSecret(ctx, svc, "RABBITMQ_DEFAULT_PASS")
	if f == nil {
		f = &found{} // the image's own, which stands nowhere
	}
	s.password(t, f)
}

const (
	brokerPort     = 5672
	managementPort = 15672
)

// broker declares a message broker, where both its ports can be reached.
func (s *survey) broker(ctx context.Context, st *stack, svc types.ServiceConfig) {
	if _, ok := published(svc, managementPort); s.known("rabbitmq") && !ok {
		s.leave("not-published", service.Args{"service": svc.Name, "port": managementPort})
		return
	}
	s.store(ctx, st, svc, "rabbitmq", brokerPort, s.rabbitmq)
}

// bucket declares the bucket that the project speaks of. Of a server where nobody
// says which, only the health is watched.
func (s *survey) bucket(ctx context.Context, st *stack, svc types.ServiceConfig) {
	name := st.bucketName(svc)
	if name == "" && s.known("s3") {
		s.leave("bucket-unknown", service.Args{"service": svc.Name})
		if at, _ := healthURL(svc); at != nil {
			s.endpoint(svc, noStore)
		}
		return
	}
	s.store(ctx, st, svc, "s3", 9000, func(ctx context.Context, st *stack, svc types.ServiceConfig, t *target) {
		t.keys = yaml.MapSlice{{Key: "endpoint", Value: "http://" + t.address}, {Key: "bucket", Value: name}}
		s.secret(t, "access_key", st.variableSecret(ctx, svc, "MINIO_ROOT_USER", "MINIO_ACCESS_KEY"))
		s.secret(t, "secret_key", st.variableSecret(ctx, svc, "MINIO_ROOT_PASSWORD", "MINIO_SECRET_KEY"))
	})
}

// bucketName looks through the variables of the store, then of all others, then .env.
func (st *stack) bucketName(store types.ServiceConfig) string {
	places := []map[string]string{st.variables(store)}
	for _, name := range slices.Sorted(maps.Keys(st.project.Services)) {
		places = append(places, st.variables(st.project.Services[name]))
	}
	for _, values := range append(places, st.env.dotenv) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if values[name] != "" && (name == "BUCKET" || strings.HasSuffix(name, "_BUCKET") || strings.HasSuffix(name, "_BUCKET_NAME")) {
				return values[name]
			}
		}
	}
	return ""
}

// workers declares Celery workers, once their broker is declared.
func (s *survey) workers(svc types.ServiceConfig) bool {
	words := append(slices.Clone(svc.Entrypoint), svc.Command...)
	if len(svc.Command) == 1 {
		words = strings.Fields(svc.Command[0])
	}
	i := slices.IndexFunc(s.targets, func(t target) bool { return t.kind == "rabbitmq" })
	if !s.known("celery") || i < 0 || !slices.Contains(words, "celery") || !slices.Contains(words, "worker") {
		return false
	}
	t := s.begin(svc, "celery", "")
	t.keys = yaml.MapSlice{{Key: "broker", Value: s.targets[i].name}}
	if queues := queuesOf(words); len(queues) > 0 {
		t.keys = append(t.keys, yaml.MapItem{Key: "queues", Value: queues})
	}
	t.after = []string{s.targets[i].name}
	s.targets = append(s.targets, t)
	return true
}

// queuesOf reads -Q a,b or --queues=a,b.
func queuesOf(words []string) (queues []any) {
	for i, word := range words {
		list, given := strings.CutPrefix(word, "--queues=")
		if (word == "-Q" || word == "--queues") && i+1 < len(words) {
			list, given = words[i+1], true
		}
		if given {
			for _, name := range strings.Split(list, ",") {
				queues = append(queues, name)
			}
		}
	}
	return queues
}
