package celery

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/catalogue"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/rabbitmq"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// environment has the broker as target "queue" and a table as target "db".
func environment(t *testing.T, s *lab.Server, db service.Instance) service.Env {
	t.Helper()
	env, of := servicetest.Env(t), servicetest.Env(t)
	cfg := rabbitmq.Kind.NewConfig().(*rabbitmq.Config)
	cfg.URL, cfg.Management, cfg.Password = s.URL(""), s.Management, secret.Parse(s.Password)
	env.Peer = func(target string) (service.Instance, error) {
		switch target {
		case "queue":
			return rabbitmq.Kind.Open(of, cfg)
		case "db":
			return db, nil
		case "silent":
			hanging := *cfg
			hanging.Management = "http://127.0.0.1:1"
			return rabbitmq.Kind.Open(of, &hanging)
		case "stranger":
			wrong := *cfg
			wrong.Password = secret.Parse("wrong")
			return rabbitmq.Kind.Open(of, &wrong)
		}
		return nil, fmt.Errorf("%s: %w", target, service.ErrUndeclared)
	}
	return env
}

// declare opens the workers as an upkeep.yaml would declare them.
func declare(t *testing.T, env service.Env, change func(*Config)) *Instance {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	cfg.Broker, cfg.Queues = "queue", []string{"ocr", "llm"}
	change(cfg)
	must(t, cfg.Validate().Err())
	in, err := Kind.Open(env, cfg)
	must(t, err)
	return in.(*Instance)
}

func nothing(*Config) {}

func within(d time.Duration) func(*Config) {
	return func(c *Config) { c.Timeout = quantity.Duration(d) }
}

// checked checks once within the deadline of the product.
func checked(t *testing.T, in *Instance) (map[string]service.Severity, service.Verdict, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	v, err := in.Check(ctx)
	if ctx.Err() != nil {
		t.Error("the check took longer than it may")
	}
	return slugs(t, v), v, err
}

// found fails unless these and no other findings come, at once or after a while: a
// worker that was just started or stopped is seen some moments later.
func found(t *testing.T, in *Instance, want map[string]service.Severity) (v service.Verdict) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		got, v, err := checked(t, in)
		if err == nil && maps.Equal(got, want) {
			return v
		}
		if time.Now().After(end) {
			t.Fatalf("found %v, %v; want %v", got, err, want)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func slugs(t *testing.T, v service.Verdict) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "celery", Text: text})
	must(t, err)
	got := map[string]service.Severity{}
	for _, f := range v.Findings {
		got[strings.TrimSuffix(f.ID+" "+f.Subject, " ")] = f.Severity
		args := service.Args{"target": "workers"}
		for name, value := range f.Args {
			args[name] = value
		}
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("celery."+f.ID, args)
			if said := title + fix; fix == "" || strings.ContainsAny(said, "!") || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}

// call publishes tasks as the application does: message protocol 2.
func call(t *testing.T, s *lab.Server, queue, task string, count int, args ...any) {
	t.Helper()
	conn, err := amqp.Dial(s.DSN(""))
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	ch, err := conn.Channel()
	must(t, err)
	_, err = ch.QueueDeclare(queue, true, false, false, false, nil)
	must(t, err)
	must(t, ch.Confirm(false))
	if args == nil {
		args = []any{}
	}
	body, err := json.Marshal([]any{args, map[string]any{}, map[string]any{"callbacks": nil, "errbacks": nil, "chain": nil, "chord": nil}})
	must(t, err)
	for i := range count {
		id := fmt.Sprintf("%s-%d-%d", queue, time.Now().UnixNano(), i)
		sent, err := ch.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{
			ContentType: "application/json", ContentEncoding: "utf-8", CorrelationId: id, DeliveryMode: amqp.Persistent, Body: body,
			Headers: amqp.Table{"lang": "py", "task": task, "id": id, "root_id": id, "retries": int32(0)}})
		must(t, err)
		if !sent.Wait() {
			t.Fatal("a task was not taken")
		}
	}
}

// table answers any statement with so many rows, or an error.
type table struct {
	rows int
	err  error
}

func (table) Close() error { return nil }

func (a table) Query(context.Context, string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		for i := range a.rows {
			if !yield(service.Row{Columns: []string{"id"}, Values: []any{int64(i)}}, nil) {
				return
			}
		}
		if a.err != nil {
			yield(service.Row{}, a.err)
		}
	}
}
