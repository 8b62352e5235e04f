package rabbitmq

import (
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
)

// Config declares one broker.
type Config struct {
	// URL is amqp://USER@HOST[:PORT][/VHOST] or amqps:// for TLS; never with a password
	// in it. Without VHOST it is the virtual host /.
	URL string `yaml:"url"`
	// Management is the address of the management plugin: http://HOST:15672.
	Management string     `yaml:"management"`
	Password   secret.Ref `yaml:"password"`
	CA         string     `yaml:"ca"` // PEM file with the authority of TLS servers; empty = the system's

	// Queues says what single queues need, by name: {max_messages: 1000, max_wait: 10m,
	// consumers: 1}. A declared queue has to be there; consumers: 0 is for one that nobody
	// needs to consume.
	Queues map[string]Queue `yaml:"queues"`

	// Limits of every queue; 0 accepts any number and any time.
	MaxMessages int64             `yaml:"max_messages"` // ready and unacknowledged
	MaxUnacked  int64             `yaml:"max_unacked"`
	MaxWait     quantity.Duration `yaml:"max_wait"` // of the oldest ready message

	Memory   Limits         `yaml:"memory"`    // share of the node's limit, at which it blocks publishers
	Files    Limits         `yaml:"files"`     // share of the file descriptors
	DiskFree quantity.Bytes `yaml:"disk_free"` // less is a warning; the node itself blocks at disk_free_limit
}

// Queue is what one queue needs.
type Queue struct {
	MaxMessages int64             `yaml:"max_messages"` // 0 = that of the target
	MaxWait     quantity.Duration `yaml:"max_wait"`     // 0 = that of the target
	// Consumers is how many there have to be. 0 is for a queue that nobody needs to
	// consume: dead letters. Left out, one is needed as soon as a message waits.
	Consumers *int64 `yaml:"consumers"`
}

// Limits are the shares from which a finding is raised.
type Limits struct {
	Warning  quantity.Share `yaml:"warning"`
	Critical quantity.Share `yaml:"critical"`
}

// Defaults fills in what most brokers need.
func (c *Config) Defaults() {
	c.MaxMessages, c.MaxUnacked = 10000, 1000
	c.MaxWait = quantity.Duration(time.Hour)
	c.Memory = Limits{Warning: 0.8, Critical: 0.95}
	c.Files = Limits{Warning: 0.8, Critical: 0.95}
	c.DiskFree = 1 << 30
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	switch _, err := parseURL(c.URL); {
	case errors.Is(err, errPasswordInURL):
		p.Addf("url", passwordInURL)
	case err != nil:
		p.Addf("url", badURL)
	}
	if u, err := url.Parse(c.Management); err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		p.Addf("management", badManagement)
	}
	for _, n := range []struct {
		path  string
		value int64
	}{{"max_messages", c.MaxMessages}, {"max_unacked", c.MaxUnacked}} {
		if n.value < 0 {
			p.Addf(n.path, negative, n.value)
		}
	}
	for name, q := range c.Queues {
		if q.MaxMessages < 0 {
			p.Addf("queues."+name+".max_messages", negative, q.MaxMessages)
		}
		if q.Consumers != nil && *q.Consumers < 0 {
			p.Addf("queues."+name+".consumers", negative, *q.Consumers)
		}
	}
	c.Memory.validate("memory", &p)
	c.Files.validate("files", &p)
	return p
}

func (l Limits) validate(path string, p *diag.List) {
	if l.Warning > l.Critical {
		p.Addf(path, "warning must not be above critical, is %s over %s", l.Warning, l.Critical)
	}
}

// of returns the limits of one queue.
func (c *Config) of(queue string) Queue {
	q := c.Queues[queue]
	if q.MaxMessages == 0 {
		q.MaxMessages = c.MaxMessages
	}
	if q.MaxWait == 0 {
		q.MaxWait = c.MaxWait
	}
	return q
}

// address is where, as whom and into which virtual host to log in.
type address struct {
	tls   bool
	host  string // HOST:PORT
	user  string
	vhost string
}

const (
	passwordInURL = "must not hold a password: put a reference under password:"
	badURL        = "must be amqp://USER@HOST:PORT/VHOST or amqps://USER@HOST:PORT/VHOST"
	badManagement = "must be http://HOST:15672 or https://HOST:15671, without a login"
	negative      = "must not be negative, is %d"
)

var (
	errPasswordInURL = errors.New("the address holds a password")
	errURL           = errors.New(badURL)
)

// parseURL never repeats the text in an error: it may hold a password.
func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" || u.Hostname() == "" || u.User.Username() == "" {
		return address{}, errURL
	}
	if _, has := u.User.Password(); has {
		return address{}, errPasswordInURL
	}
	at := address{tls: u.Scheme == "amqps", user: u.User.Username(), vhost: strings.TrimPrefix(u.Path, "/")}
	port := u.Port()
	switch {
	case port != "":
	case at.tls:
		port = "5671"
	default:
		port = "5672"
	}
	if at.vhost == "" {
		at.vhost = "/"
	}
	at.host = net.JoinHostPort(u.Hostname(), port)
	return at, nil
}

// url is the address with its login, as AMQP clients take it.
func (at address) url(password, ca string) string {
	u := url.URL{Scheme: "amqp", Host: at.host, User: url.UserPassword(at.user, password)}
	if at.vhost != "/" {
		u.Path, u.RawPath = "/"+at.vhost, "/"+url.PathEscape(at.vhost)
	}
	if at.tls {
		u.Scheme = "amqps"
		if ca != "" {
			u.RawQuery = url.Values{"cacertfile": {ca}}.Encode()
		}
	}
	return u.String()
}
