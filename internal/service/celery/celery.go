// Package celery is the kind for the workers of a Celery application over RabbitMQ.
// It asks the live workers through their control channel, without importing the
// application: who answers, what they consume, which tasks and limits they have. The
// broker is another target, whose kind lists the queues.
//
// It never sends a task, never changes a worker and reads no task's arguments. It is
// not for Redis as a broker: there the control channel is another one.
package celery

import (
	"embed"

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("celery", open, text, example).Monitored(monitoring)

var (
	_ service.Checker   = (*Instance)(nil)
	_ service.Collector = (*Instance)(nil)
)

// Instance is the workers of one application. It keeps no connection between calls.
type Instance struct {
	env service.Env
	cfg Config
}

func open(env service.Env, cfg Config) (*Instance, error) { return &Instance{env: env, cfg: cfg}, nil }

// Close has nothing to release.
func (in *Instance) Close() error { return nil }
