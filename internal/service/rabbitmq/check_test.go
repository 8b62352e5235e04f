package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/lab"
)

func TestQueues(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	in := declare(t, s)
	settled(t, in)
	if got, v := checked(t, in); len(got) != 0 || v.Facts["version"] == "" {
		t.Errorf("an idle broker: found %v, facts %v", v.Findings, v.Facts)
	}
	ch := channel(t, s)
	fill(t, ch, "files", 3)
	fill(t, ch, "empty", 0)
	fill(t, ch, "dead", 2)
	fill(t, ch, "busy", 5)
	must(t, ch.Qos(4, 0, false))
	held, err := ch.Consume("busy", "", false, false, false, false, nil)
	must(t, err)
	for range 4 {
		<-held
	}
	_, err = ch.QueueDeclare("reply", false, true, false, false, amqp.Table{"x-expires": 60000})
	must(t, err)
	must(t, ch.Publish("", "reply", false, false, amqp.Publishing{}))

	zero, two := int64(0), int64(2)
	strict := declare(t, s, func(c *Config, _ *service.Env) {
		c.MaxUnacked = 3
		c.Queues = map[string]Queue{"dead": {Consumers: &zero}, "busy": {Consumers: &two, MaxMessages: 4}, "gone": {}, "empty": {Consumers: &two}}
	})
	want := map[string]service.Severity{
		"queue-unconsumed files": service.Critical, "queue-missing gone": service.Critical,
		"too-few-consumers empty": service.Critical, "too-few-consumers busy": service.Warning,
		"queue-deep busy": service.Warning, "unacked-high busy": service.Warning,
	}
	eventually(t, func() error {
		if got, _ := checked(t, strict); !maps.Equal(got, want) {
			return fmt.Errorf("found %v, want %v", got, want)
		}
		return nil
	})
	queues, err := in.Queues(t.Context())
	must(t, err)
	if len(queues) != 5 || queues[4] != (service.Queue{Name: "reply", Messages: queues[4].Messages, Consumers: queues[4].Consumers, Transient: true}) {
		t.Errorf("queues %+v", queues)
	}
	for _, q := range queues {
		if q.Name == "busy" && q != (service.Queue{Name: "busy", Messages: 5, Unacked: 4, Consumers: 1, Durable: true}) {
			t.Errorf("busy is %+v", q)
		}
	}
}

func TestWaitingIsMeasuredFromOwnSamples(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	in := declare(t, s, func(c *Config, _ *service.Env) { c.MaxWait = quantity.Duration(10 * time.Minute) })
	ch := channel(t, s)
	fill(t, ch, "files", 2)
	consumer := channel(t, s)
	must(t, consumer.Qos(1, 0, false))
	tasks, err := consumer.Consume("files", "", false, false, false, false, nil)
	must(t, err)
	first := <-tasks
	settled(t, in)
	counted(t, in, "files", 2)
	if got, _ := checked(t, in); len(got) != 0 {
		t.Errorf("the first looks know of no waiting, found %v", got)
	}
	longAgo(t, in, 11*time.Minute)
	got, v := checked(t, in)
	if got["queue-waits files"] != service.Warning {
		t.Fatalf("found %v", got)
	}
	if waited := v.Findings[0].Args["waited"].(float64); waited < 660 || waited > 700 {
		t.Errorf("waits for at least %v s, want 660", waited)
	}
	// The one that waited is taken, and a new one comes: nothing says that it waited.
	must(t, first.Ack(false))
	<-tasks
	fill(t, ch, "files", 1)
	counted(t, in, "files", 3)
	if got, v := checked(t, in); len(got) != 0 {
		t.Errorf("found %v", v.Findings)
	}
	longAgo(t, in, 11*time.Minute)
	if got, _ := checked(t, in); got["queue-waits files"] != service.Warning {
		t.Errorf("it waits since the last look, found %v", got)
	}
	must(t, s.Kill())
	must(t, s.Start(t.Context()))
	settled(t, in)
	if got, v := checked(t, in); got["queue-unconsumed files"] != service.Critical || v.Findings[0].Args["waited"].(float64) > 60 {
		t.Errorf("counters began anew with the node, found %v", v.Findings)
	}
}

// longAgo makes the last check's marks older, as if nothing had changed for so long
// before it.
func longAgo(t *testing.T, in *Instance, age time.Duration) {
	t.Helper()
	text, err := in.env.State.Get(t.Context(), stateKey)
	must(t, err)
	var w waits
	must(t, json.Unmarshal([]byte(text), &w))
	for name, m := range w.Marks {
		m.Since = m.Since.Add(-age)
		w.Marks[name] = m
	}
	older, err := json.Marshal(w)
	must(t, err)
	must(t, in.env.State.Set(t.Context(), stateKey, string(older)))
}

// counted waits until the statistics know of so many published messages.
func counted(t *testing.T, in *Instance, queue string, published int64) {
	t.Helper()
	eventually(t, func() error {
		all, err := in.queues(t.Context())
		if err != nil {
			return err
		}
		for _, q := range all {
			if q.Name == queue && q.Stats.Publish.value == published {
				return nil
			}
		}
		return fmt.Errorf("%d messages are not counted yet: %+v", published, all)
	})
}

func TestTheWaysOfNotBeingAbleToTell(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	fill(t, channel(t, s), "files", 3)
	settled(t, declare(t, s))
	t.Run("side by side", func(t *testing.T) {
		for _, tc := range []struct {
			name   string
			change func(*Config, *service.Env)
			want   map[string]service.Severity
			err    error
		}{
			{"wrong password", func(c *Config, _ *service.Env) { c.Password = secret.Parse("wrong") }, nil, service.ErrDenied},
			{"no such virtual host", func(c *Config, _ *service.Env) { c.URL += "nowhere" }, nil, service.ErrDenied},
			{"nobody at the management port", func(c *Config, _ *service.Env) { c.Management = "http://127.0.0.1:1" },
				map[string]service.Severity{"management-silent everything": service.Unknown}, nil},
			{"management hangs, a declared queue is judged over AMQP", func(c *Config, _ *service.Env) {
				c.Management, c.Queues = "http://"+silent(t), map[string]Queue{"files": {}, "gone": {}}
			}, map[string]service.Severity{"management-silent everything": service.Unknown,
				"queue-unconsumed files": service.Critical, "queue-missing gone": service.Critical}, nil},
			{"AMQP hangs", func(c *Config, _ *service.Env) { c.URL = "amqp://lab@" + silent(t) },
				map[string]service.Severity{"queue-unconsumed files": service.Critical}, service.ErrUnreachable},
		} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel() // each waits for its time to be over
				in := declare(t, s, tc.change)
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				v, err := in.Check(ctx)
				if got := slugs(t, v); !maps.Equal(got, tc.want) || !errors.Is(err, tc.err) || ctx.Err() != nil {
					t.Errorf("found %v, %v after %s; want %v, %v", got, err, time.Since(began), tc.want, tc.err)
				}
				if err != nil && strings.Contains(err.Error(), s.Password) {
					t.Errorf("the password is in the error: %v", err)
				}
			})
		}
	})
	for name, away := range map[string]func() error{"frozen": s.Pause, "killed": s.Kill} {
		must(t, away())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		v, err := declare(t, s).Check(ctx)
		if !errors.Is(err, service.ErrUnreachable) || len(v.Findings) != 0 || ctx.Err() != nil {
			t.Errorf("%s: %v, %v", name, v.Findings, err)
		}
		cancel()
		if name == "frozen" {
			must(t, s.Resume())
		} else {
			must(t, s.Start(t.Context()))
		}
	}
}

func TestAUserWithoutTheRightToLook(t *testing.T) {
	s := lab.RabbitMQ(t, lab.Options{})
	admin := declare(t, s)
	for path, body := range map[string]string{"users/app": `{"password":"pw","tags":""}`} {
		_, err := admin.call(t.Context(), "PUT", []byte(body), path)
		must(t, err)
	}
	_, err := admin.call(t.Context(), "PUT", []byte(`{"configure":".*","write":".*","read":".*"}`), "permissions/%2F/app")
	must(t, err)
	in := declare(t, s, func(c *Config, _ *service.Env) {
		c.URL, c.Password = strings.Replace(c.URL, "lab@", "app@", 1), secret.Parse("pw")
	})
	if got, _ := checked(t, in); got["management-denied everything"] != service.Unknown {
		t.Errorf("found %v", got)
	}
}

func TestAlarms(t *testing.T) {
	for setting, slug := range map[string]string{
		"vm_memory_high_watermark.absolute=1MB": "memory-alarm", "disk_free_limit.absolute=900000GB": "disk-alarm",
	} {
		name, value, _ := strings.Cut(setting, "=")
		s := lab.RabbitMQ(t, lab.Options{Settings: map[string]string{name: value}})
		in := declare(t, s)
		eventually(t, func() error {
			got, _ := checked(t, in)
			for id, severity := range got {
				if strings.HasPrefix(id, slug+" ") && severity == service.Critical {
					return nil
				}
			}
			return fmt.Errorf("no %s in %v", slug, got)
		})
	}
}

// TestJudgements covers what one machine cannot bring about.
func TestJudgements(t *testing.T) {
	known := func(n int64) number { return number{n, true} }
	in := &Instance{cfg: Config{DiskFree: 1 << 30}}
	in.cfg.Defaults()
	var v service.Verdict
	in.members(&v, []node{
		{Name: "down"},
		{Name: "cut", Running: true, Partitions: []string{"other"}, MemUsed: known(90), MemLimit: known(100), DiskFree: known(1 << 20), FilesUsed: known(99), FilesTotal: known(100)},
		{Name: "fresh", Running: true, MemLimit: known(100)},
	})
	want := map[string]service.Severity{"node-down down": service.Critical, "partition cut": service.Critical,
		"memory-high cut": service.Warning, "disk-low cut": service.Warning, "files-high cut": service.Critical, "node-unmeasured fresh": service.Unknown}
	if got := slugs(t, v); !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestConfiguration(t *testing.T) {
	for text, problem := range map[string]string{
		"amqp://lab:secret@h/":   passwordInURL,
		"http://lab@h/":          badURL,
		"amqp://h/":              badURL,
		"amqp://lab@h/%zz":       badURL,
		"amqps://lab@h:1/%2Fa/b": "",
	} {
		cfg := Kind.NewConfig().(*Config)
		cfg.URL, cfg.Management = text, "http://h:15672"
		switch err := cfg.Validate().Err(); {
		case problem == "" && err != nil, problem != "" && (err == nil || !strings.Contains(err.Error(), problem)):
			t.Errorf("%s: %v, want %q", text, err, problem)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the problem repeats the password", text)
		}
	}
	at, err := parseURL("amqp://a%40b@h/%2Fx")
	must(t, err)
	if got := at.url("p:/?#", ""); got != "amqp://a%40b:p%3A%2F%3F%23@h:5672/%2Fx" {
		t.Errorf("address %s", got)
	}
}

// silent takes connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts for it
}
