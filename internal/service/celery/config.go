package celery

import (
	"fmt"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// Config declares the workers of one application.
type Config struct {
	Broker  string   `yaml:"broker"`  // the target that is their broker
	Control string   `yaml:"control"` // control_exchange of the application
	Workers int      `yaml:"workers"` // how many there have to be
	Queues  []string `yaml:"queues"`  // that the application sends to; queues of task_routes are read from the workers
	Tasks   []string `yaml:"tasks"`   // names that the application calls
	// Timeout is within which a worker has to answer. One that needs longer is late, one
	// that is still silent when the check ends does not answer.
	Timeout     quantity.Duration `yaml:"timeout"`
	MaxMessages int64             `yaml:"max_messages"` // per queue, ready and unacknowledged; 0 accepts any number
	MaxWait     quantity.Duration `yaml:"max_wait"`     // of a message, as far as can be told; 0 accepts any
	MaxRuntime  quantity.Duration `yaml:"max_runtime"`  // of one task, besides its own limit; 0 accepts any
	Stuck       []Stuck           `yaml:"stuck"`        // work that does not move, told by the application's own tables
}

// Stuck is a statement whose rows are work that stands still.
type Stuck struct {
	Name   string `yaml:"name"`   // of this sort of work; empty = the target's
	Target string `yaml:"target"` // that answers the statement
	Query  string `yaml:"query"`  // read-only; the first column names the piece of work
}

// Defaults fills in what most applications need.
func (c *Config) Defaults() {
	c.Control, c.Workers = "celery", 1
	c.Timeout = quantity.Duration(3 * time.Second)
	c.MaxMessages = 10000
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if c.Broker == "" {
		p.Addf("broker", "must name the target that is the broker")
	}
	if c.Control == "" {
		p.Addf("control", "must not be empty")
	}
	if c.Workers < 0 {
		p.Addf("workers", "must not be negative, is %d", c.Workers)
	}
	if c.Timeout < quantity.Duration(100*time.Millisecond) {
		p.Addf("timeout", "must be at least 100ms, is %s", c.Timeout)
	}
	if c.MaxMessages < 0 {
		p.Addf("max_messages", "must not be negative, is %d", c.MaxMessages)
	}
	for i, s := range c.Stuck {
		if s.Target == "" {
			p.Addf(fmt.Sprintf("stuck[%d].target", i), "must name the target that answers")
		}
		if s.Query == "" {
			p.Addf(fmt.Sprintf("stuck[%d].query", i), "must not be empty")
		}
	}
	return p
}

// Peers are the targets that this one needs.
func (c *Config) Peers() []service.PeerRef {
	all := []service.PeerRef{{Path: "broker", Target: c.Broker}}
	for i, s := range c.Stuck {
		all = append(all, service.PeerRef{Path: fmt.Sprintf("stuck[%d].target", i), Target: s.Target})
	}
	return all
}
