package celery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// Shorthands of the tables below.
const crit, soft, unsure = service.Critical, service.Warning, service.Unknown

type severities = map[string]service.Severity

// routes are what the lab's application routes to queues that w1 does not consume.
func routes(more severities) severities {
	all := severities{"queue-unconsumed files": soft, "queue-unconsumed kg": soft}
	maps.Copy(all, more)
	return all
}

// TestWorkersInEveryState goes through the life of workers on one broker.
func TestWorkersInEveryState(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	env := environment(t, s, table{rows: 2})
	in := declare(t, env, nothing)
	found(t, in, severities{"no-worker": crit})

	w1 := lab.Celery(t, lab.Worker{Broker: s, Name: "w1", Queues: []string{"ocr", "llm"}})
	v := found(t, in, routes(nil))
	if text, _ := json.Marshal(v.Facts); !strings.Contains(string(text), `{"name":"w1@lab","pool":1,"prefetch":1,"processed":0,"active":0,"reserved":0,"scheduled":0,"queues":["ocr","llm"],`) {
		t.Errorf("facts %s", text)
	}

	call(t, s, "files", "lab.file_processing", 3)
	found(t, in, routes(severities{"queue-unconsumed files": crit}))
	older(t, in, "files", 20*time.Minute)
	v = found(t, in, routes(severities{"queue-unconsumed files": crit}))
	if waited := v.Findings[slices.IndexFunc(v.Findings, func(f service.Finding) bool { return f.Subject == "files" })].Args["waited"].(float64); waited < 1200 {
		t.Errorf("the files wait for %v s, want 20 minutes", waited)
	}

	found(t, declare(t, env, func(c *Config) {
		c.Workers, c.MaxMessages = 2, 2
		c.Tasks = []string{"lab.ocr_processing", "app.generate_cot"}
		c.Queues = append(c.Queues, "absent")
		c.Stuck = []Stuck{{Name: "ocr", Target: "db", Query: "select"}, {Target: "nowhere", Query: "select"}, {Target: "queue", Query: "select"}}
	}), routes(severities{"too-few-workers": crit, "task-unregistered app.generate_cot": crit, "queue-unconsumed files": crit,
		"queue-deep files": soft, "queue-unconsumed absent": crit,
		"work-stuck ocr": crit, "work-unknown nowhere": unsure, "work-unknown queue": unsure}))

	// Running longer than it may, and what waits behind it.
	call(t, s, "ocr", "lab.ocr_processing", 1, 600)
	found(t, declare(t, env, func(c *Config) { c.MaxRuntime = quantity.Duration(100 * time.Millisecond) }),
		routes(severities{"queue-unconsumed files": crit, "task-long " + taskID(t, in): soft}))
	sampled(t, in, "celery_worker_up w1@lab 1", "celery_worker_tasks_active w1@lab 1", "celery_queue_length files 3",
		"celery_active_consumer_count files 0", "celery_active_worker_count ocr 1", "celery_active_process_count ocr 1")

	must(t, w1.Pause())
	found(t, in, severities{"worker-silent w1@lab": crit})
	found(t, declare(t, env, func(c *Config) { c.Tasks = []string{"lab.ocr_processing"} }), severities{"worker-silent w1@lab": crit})
	sampled(t, in, "celery_worker_up w1@lab 0")
	must(t, w1.Resume())
	found(t, in, routes(severities{"queue-unconsumed files": crit}))

	must(t, w1.Kill())
	v = found(t, in, severities{"no-worker": crit})
	if gone := v.Findings[0].Args["gone"]; !reflect.DeepEqual(gone, []string{"w1@lab"}) {
		t.Errorf("gone are %v", gone)
	}
	must(t, s.Pause())
	if got, _, err := checked(t, in); len(got) != 0 || !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a frozen broker: %v, %v", got, err)
	}
	must(t, s.Resume())
	must(t, s.Kill())
	if got, _, err := checked(t, in); len(got) != 0 || !errors.Is(err, service.ErrUnreachable) {
		t.Errorf("a dead broker: %v, %v", got, err)
	}
}

// taskID is the one that runs now.
func taskID(t *testing.T, in *Instance) (id string) {
	t.Helper()
	for range 100 {
		r, err := in.ask(t.Context())
		must(t, err)
		for _, w := range r.sorted() {
			for _, task := range w.active {
				if task.Start != nil {
					return task.ID
				}
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("no task runs")
	return ""
}

// older makes what was seen waiting older, as if nothing had changed for so long.
func older(t *testing.T, in *Instance, queue string, age time.Duration) {
	t.Helper()
	m, err := in.recall(t.Context())
	must(t, err)
	b, seen := m.Waiting[queue]
	if !seen {
		t.Fatalf("%s was not seen waiting: %v", queue, m.Waiting)
	}
	m.Waiting[queue] = backlog{b.Since.Add(-age), b.Messages}
	must(t, in.remember(t.Context(), m))
}

// sampled wants these samples among those of one round.
func sampled(t *testing.T, in *Instance, want ...string) {
	t.Helper()
	got := map[string]bool{}
	must(t, in.Collect(t.Context(), func(f *dto.MetricFamily) {
		for _, m := range f.Metric {
			got[fmt.Sprintf("%s %s %v", f.GetName(), m.Label[0].GetValue(), m.Gauge.GetValue())] = true
		}
	}))
	for _, sample := range want {
		if !got[sample] {
			t.Errorf("no sample %s among %v", sample, got)
		}
	}
}

func TestSettingsOfLiveWorkersAreJudged(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	lab.Celery(t, lab.Worker{Broker: s, Name: "careless", Queues: []string{"ocr", "llm"}, Settings: map[string]any{
		"task_acks_late": false, "task_time_limit": nil, "task_soft_time_limit": nil, "worker_prefetch_multiplier": 4,
		"task_default_priority": 5, "result_backend": "cache+memory://", "result_expires": nil, "task_routes": nil}})
	v := found(t, declare(t, environment(t, s, nil), nothing), severities{
		"acks-early": soft, "no-time-limit": soft, "prefetch-high": soft, "priority-ignored": soft, "results-kept": soft})
	for _, f := range v.Findings {
		if !reflect.DeepEqual(f.Args["workers"], []string{"careless@lab"}) {
			t.Errorf("%s is said of %v", f.ID, f.Args["workers"])
		}
	}
}

// TestAWorkerThatAnswersLate has a pool that works in the process that answers.
func TestAWorkerThatAnswersLate(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	lab.Celery(t, lab.Worker{Broker: s, Name: "slow", Pool: "solo", Queues: []string{"ocr", "llm", "kg", "files"}})
	in := declare(t, environment(t, s, nil), within(time.Second))
	found(t, in, severities{})
	call(t, s, "ocr", "lab.ocr_processing", 1, 2.5)
	time.Sleep(300 * time.Millisecond) // it has begun
	if got, v, err := checked(t, in); err != nil || !maps.Equal(got, severities{"worker-late slow@lab": soft}) {
		t.Errorf("found %v, %v", v.Findings, err)
	}
	found(t, in, severities{})
}

func TestABrokerThatTakesNoMessages(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	lab.Celery(t, lab.Worker{Broker: s, Name: "w1", Queues: []string{"ocr", "llm", "kg", "files"}})
	env := environment(t, s, nil)
	in := declare(t, env, nothing)
	found(t, in, severities{})
	must(t, s.Rabbitmqctl(t.Context(), "set_vm_memory_high_watermark", "absolute", "1MB"))
	found(t, in, severities{"broker-blocked": crit})
	must(t, s.Rabbitmqctl(t.Context(), "set_vm_memory_high_watermark", "absolute", "512MB"))
	found(t, in, severities{})
	if got, _, err := checked(t, declare(t, env, func(c *Config) { c.Broker = "silent" })); err != nil || !maps.Equal(got, severities{"queues-unknown": unsure}) {
		t.Errorf("without a list of queues: %v, %v", got, err)
	}
	if _, _, err := checked(t, declare(t, env, func(c *Config) { c.Broker = "stranger" })); !errors.Is(err, service.ErrDenied) {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestRoutesAreReadInEveryForm(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`null`: {}, ``: {},
		`{"a": {"queue": "q"}, "b": "r", "c": {"routing_key": "x"}}`:   {"a": "q", "b": "r"},
		`[["a", {"queue": "q"}], ["b", {"queue": {"name": "r"}}]]`:     {"a": "q", "b": "r"},
		`[{"a": {"queue": "q"}}, [["b", {"queue": "r"}], ["c", "s"]]]`: {"a": "q", "b": "r", "c": "s"},
	} {
		if got, whole := parseRoutes(json.RawMessage(text)); !maps.Equal(got, want) || !whole {
			t.Errorf("%s is read as %v, %v", text, got, whole)
		}
	}
	for _, text := range []string{`"<function route at 0x7f>"`, `["<function route>", {"a": "q"}]`, `{`} {
		if _, whole := parseRoutes(json.RawMessage(text)); whole {
			t.Errorf("%s is said to be read", text)
		}
	}
}

func TestNumbersThatJSONDoesNotHave(t *testing.T) {
	text := `{"a": Infinity, "b": [-Infinity, NaN], "c": "NaN \" Infinity", "d": "x\\"}`
	if got := string(finite([]byte(text))); got != `{"a": null, "b": [null, null], "c": "NaN \" Infinity", "d": "x\\"}` {
		t.Errorf("read as %s", got)
	}
}

// TestTasksPastTheirLimit cannot be brought about in seconds.
func TestTasksPastTheirLimit(t *testing.T) {
	start := float64(time.Now().Add(-time.Hour).Unix())
	w := &worker{name: "w", ponged: true, active: []running{{"1", "a", &start}, {"2", "b", &start}, {"3", "c", nil}},
		registered: []task{parseTask("a [acks_late=True time_limit=60]"), parseTask("b")}}
	in := declare(t, servicetest.Env(t), nothing)
	var v service.Verdict
	in.runtimes(&v, &round{workers: map[string]*worker{"w": w}})
	if got := slugs(t, v); !maps.Equal(got, severities{"task-overdue 1": crit}) {
		t.Errorf("found %v", got)
	}
}

func TestConfigurationIsHeldToItsForm(t *testing.T) {
	cfg := Config{Stuck: []Stuck{{}}, Workers: -1, MaxMessages: -1}
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	if want := []string{"broker", "control", "workers", "timeout", "max_messages", "stuck[0].target", "stuck[0].query"}; !slices.Equal(paths, want) {
		t.Errorf("problems at %q, want %q", paths, want)
	}
}

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		s := lab.RabbitMQ(t, lab.Options{})
		lab.Celery(t, lab.Worker{Broker: s, Name: "w1", Queues: []string{"ocr", "llm"}})
		env := environment(t, s, nil)
		peer := env.Peer
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		t.Cleanup(func() { _ = l.Close() })
		env.Peer = func(target string) (service.Instance, error) {
			if target == "hanging" {
				return hanging{l.Addr().String()}, nil
			}
			return peer(target)
		}
		cfg := Kind.NewConfig().(*Config)
		cfg.Broker, cfg.Queues = "queue", []string{"ocr", "llm"}
		deaf := *cfg
		deaf.Broker = "hanging"
		return servicetest.Fixture{Env: env, Config: cfg, Hanging: &deaf,
			Stop: func(t *testing.T) { must(t, s.Pause()) }, Start: func(t *testing.T) { must(t, s.Resume()) }}
	})
}

// hanging is a broker that takes connections and never answers.
type hanging struct{ address string }

func (hanging) Close() error { return nil }
func (h hanging) BrokerURL(ctx context.Context) (string, error) {
	return "amqp://lab:lab@" + h.address, nil
}
func (hanging) Queues(ctx context.Context) ([]service.Queue, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
