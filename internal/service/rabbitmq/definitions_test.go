package rabbitmq

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// define fills a broker with one definition of nearly every class, and with things
// that vanish by themselves.
func define(t *testing.T, s *lab.Server, in *Instance) {
	t.Helper()
	for _, made := range []struct{ path, body string }{
		{"vhosts/prod", `{}`},
		{"permissions/prod/lab", `{"configure":".*","write":".*","read":".*"}`},
		{"users/app", `{"password":"s3cret-of-app","tags":"monitoring"}`},
		{"policies/prod/ttl", `{"pattern":"^tmp","definition":{"message-ttl":60000},"apply-to":"queues"}`},
		{"queues/prod/urgent", `{"durable":true,"arguments":{"x-max-priority":10}}`},
		{"exchanges/prod/任务", `{"type":"topic","durable":true}`},
		{"topic-permissions/%2F/lab", `{"exchange":"amq.topic","write":"^a","read":".*"}`},
		{"global-parameters/upkeep_lab", `{"name":"upkeep_lab","value":1}`},
	} {
		_, err := in.call(t.Context(), "PUT", []byte(made.body), made.path)
		must(t, err)
	}
	ch := channel(t, s)
	for _, queue := range []string{"ocr", "llm"} {
		fill(t, ch, queue, 1)
		must(t, ch.QueueBind(queue, "key."+queue, "amq.topic", false, amqp.Table{"x": int32(1)}))
	}
	must(t, ch.ExchangeDeclare("celery.pidbox", "fanout", false, false, false, false, nil))
	_, err := ch.QueueDeclare("events", false, true, false, false, nil)
	must(t, err)
	must(t, ch.QueueBind("events", "", "celery.pidbox", false, nil))
}

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		s := lab.RabbitMQ(t, lab.Options{})
		in := declare(t, s)
		define(t, s, in)
		settled(t, in)
		cfg := config(s)
		hanging := *cfg
		hanging.Management, hanging.URL = "http://"+silent(t), "amqp://lab@"+silent(t)
		return servicetest.Fixture{
			Config:  cfg,
			Hanging: &hanging,
			Damage: func(t *testing.T, scratch service.Instance) {
				_, err := scratch.(*sibling).in.call(t.Context(), "DELETE", nil, "queues/prod/urgent")
				must(t, err)
			},
			Stop:  func(t *testing.T) { must(t, s.Pause()) },
			Start: func(t *testing.T) { must(t, s.Resume()) },
		}
	})
}

// TestDefinitionsComeBackAndDifferencesAreNamed restores into the target itself.
func TestDefinitionsComeBackAndDifferencesAreNamed(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	in := declare(t, s)
	define(t, s, in)
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	c, err := servicetest.Store(t.Context(), snap)
	must(t, err)
	m := c.Manifest()
	if m.Counts["queues"] != 3 || m.Counts["users"] != 2 || m.Counts["exchanges"] != 1 || m.Counts["bindings"] != 2 || m.Attrs["messages"] != "not copied" {
		t.Errorf("the manifest says %v %v", m.Counts, m.Attrs)
	}
	for method, path := range map[string]string{"DELETE": "queues/prod/urgent", "PUT": "queues/prod/new"} {
		_, err := in.call(t.Context(), method, []byte(`{"durable":true}`), path)
		must(t, err)
	}
	_, err = in.call(t.Context(), "PUT", []byte(`{"password":"another","tags":""}`), "users/app")
	must(t, err)
	if got := verified(t, in, c); !maps.Equal(got, map[string]service.Severity{"definitions-missing queues": service.Critical,
		"definitions-extra queues": service.Critical, "definitions-differ users": service.Critical}) {
		t.Errorf("found %v", got)
	}
	for range 2 {
		must(t, in.Restore(t.Context(), c, service.Selection{}, service.Report{}))
		if got := verified(t, in, c); !maps.Equal(got, map[string]service.Severity{"definitions-extra queues": service.Critical}) {
			t.Errorf("after the restore: %v", got)
		}
	}
	if err := in.Restore(t.Context(), c, service.Selection{Only: "ocr"}, service.Report{}); !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("a part of it: %v", err)
	}
	queues, err := in.Queues(t.Context())
	must(t, err)
	if i := slices.IndexFunc(queues, func(q service.Queue) bool { return q.Name == "ocr" }); i < 0 || queues[i].Messages != 1 {
		t.Errorf("a restore touched the messages: %v", queues)
	}
}

func verified(t *testing.T, in service.Verifier, c service.Copy) map[string]service.Severity {
	t.Helper()
	v, err := in.Verify(context.WithoutCancel(t.Context()), c, service.Report{})
	must(t, err)
	return slugs(t, v)
}
