package rabbitmq

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/catalogue"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// declare opens the broker as an upkeep.yaml would declare it.
func declare(t *testing.T, s *lab.Server, change ...func(*Config, *service.Env)) *Instance {
	t.Helper()
	cfg := config(s)
	env := servicetest.Env(t)
	for _, f := range change {
		f(cfg, &env)
	}
	if err := cfg.Validate().Err(); err != nil {
		t.Fatal(err)
	}
	in, err := Kind.Open(env, cfg)
	must(t, err)
	t.Cleanup(func() { must(t, in.Close()) })
	return in.(*Instance)
}

func config(s *lab.Server) *Config {
	cfg := Kind.NewConfig().(*Config)
	cfg.URL, cfg.Management, cfg.Password = s.URL(""), s.Management, secret.Parse(s.Password)
	cfg.DiskFree = 0 // the disk of whoever runs the tests is not judged
	return cfg
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// channel is of a client other than the one under test.
func channel(t *testing.T, s *lab.Server) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(s.DSN(""))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	must(t, err)
	return ch
}

// fill makes a durable queue with so many messages in it.
func fill(t *testing.T, ch *amqp.Channel, queue string, messages int) {
	t.Helper()
	_, err := ch.QueueDeclare(queue, true, false, false, false, nil)
	must(t, err)
	must(t, ch.Confirm(false))
	for range messages {
		sent, err := ch.PublishWithDeferredConfirm("", queue, false, false, amqp.Publishing{Body: []byte("x"), DeliveryMode: amqp.Persistent})
		must(t, err)
		if !sent.Wait() {
			t.Fatal("a message was not taken")
		}
	}
}

// checked checks once; the findings are by slug and subject, and each has words.
func checked(t *testing.T, in *Instance) (map[string]service.Severity, service.Verdict) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	v, err := in.Check(ctx)
	must(t, err)
	return slugs(t, v), v
}

func slugs(t *testing.T, v service.Verdict) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "rabbitmq", Text: text})
	must(t, err)
	got := map[string]service.Severity{}
	for _, f := range v.Findings {
		got[strings.TrimSuffix(f.ID+" "+f.Subject, " ")] = f.Severity
		args := service.Args{"target": "queue"}
		for name, value := range f.Args {
			args[name] = value
		}
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("rabbitmq."+f.ID, args)
			if said := title + fix; fix == "" || strings.ContainsAny(said, "!") || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}

// eventually repeats until the state is there: statistics are up to ten seconds late.
func eventually(t *testing.T, ready func() error) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for {
		err := ready()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// settled waits until nothing is unknown: statistics of a node that was just started
// come after some seconds.
func settled(t *testing.T, in *Instance) {
	t.Helper()
	eventually(t, func() error {
		got, _ := checked(t, in)
		for slug, severity := range got {
			if severity == service.Unknown {
				return fmt.Errorf("%s is still unknown", slug)
			}
		}
		return nil
	})
}
