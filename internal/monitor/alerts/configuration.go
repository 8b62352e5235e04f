package alerts

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/template"
	"go.yaml.in/yaml/v4"

	"upkeep/internal/monitor/alertfile"
)

// Notify is where alerts go when no alertmanager.yml says so.
type Notify struct {
	Email   *Email
	Webhook string // the address that alerts are posted to, in Alertmanager's own form
}

// Email is how mail is sent.
type Email struct {
	To             []string
	From           string // "" = upkeep at this machine
	SMTP           string // smtp://HOST:25, or smtps://HOST:465 for TLS from the first byte
	User, Password string
	TLS            string // STARTTLS: required, offered or none
}

// Names of the receivers that notify: makes.
const (
	mailName    = "upkeep-mail"
	webhookName = "upkeep-webhook"
	nobodyName  = "nobody"
)

// configuration is the user's file, else what Notify says. With a file, Notify's ways are
// there too, but no route of the file leads to them: they only tell of failures.
func (s Source) configuration() (*config.Config, error) {
	made, err := s.Notify.made()
	if s.File == "" || err != nil {
		return made, err
	}
	if err := alertfile.Check(s.File).Problems.Err(); err != nil {
		return nil, err
	}
	conf, err := config.LoadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", s.File, err)
	}
	for _, r := range made.Receivers {
		if r.Name != nobodyName {
			conf.Receivers = append(conf.Receivers, r)
		}
	}
	return conf, nil
}

// The parts of a configuration that is made.
type (
	madeConfig struct {
		Global    map[string]any `yaml:"global,omitempty"`
		Route     madeRoute      `yaml:"route"`
		Receivers []madeReceiver `yaml:"receivers"`
	}
	madeRoute struct {
		Receiver string      `yaml:"receiver"`
		GroupBy  []string    `yaml:"group_by,flow"`
		Wait     string      `yaml:"group_wait,omitempty"`
		Interval string      `yaml:"group_interval,omitempty"`
		Repeat   string      `yaml:"repeat_interval,omitempty"`
		Continue bool        `yaml:"continue,omitempty"`
		Routes   []madeRoute `yaml:"routes,omitempty"`
	}
	madeReceiver struct {
		Name     string           `yaml:"name"`
		Mails    []map[string]any `yaml:"email_configs,omitempty"`
		Webhooks []map[string]any `yaml:"webhook_configs,omitempty"`
	}
)

// made is a configuration of two receivers with a route each, so that mail that fails
// does not delay the webhook. All alerts are one group: whatever goes wrong at once is
// one message.
func (n Notify) made() (*config.Config, error) {
	text, err := n.YAML()
	if err != nil {
		return nil, err
	}
	conf, err := alertfile.Load(text)
	if err != nil {
		return nil, fmt.Errorf("make a configuration of notify: %w", err)
	}
	return conf, nil
}

// YAML is the alertmanager.yml that says what Notify says, with the password in it.
func (n Notify) YAML() (string, error) {
	c := madeConfig{Route: madeRoute{Receiver: nobodyName, GroupBy: []string{}, Wait: "30s", Interval: "5m", Repeat: "4h"},
		Receivers: []madeReceiver{{Name: nobodyName}}}
	if n.Email != nil {
		mail, err := n.Email.config()
		if err != nil {
			return "", err
		}
		c.Receivers = append(c.Receivers, madeReceiver{Name: mailName, Mails: []map[string]any{mail}})
	}
	if n.Webhook != "" {
		c.Receivers = append(c.Receivers, madeReceiver{Name: webhookName, Webhooks: []map[string]any{{"url": n.Webhook, "max_alerts": mostPosted}}})
	}
	for _, r := range c.Receivers[1:] {
		c.Route.Routes = append(c.Route.Routes, madeRoute{Receiver: r.Name, GroupBy: []string{}, Continue: true})
	}
	text, err := yaml.Marshal(c)
	return string(text), err
}

// mostPosted bounds the alerts in one call of a webhook; how many more there are is said.
const mostPosted = 200

func (e *Email) config() (map[string]any, error) {
	server, err := url.Parse(e.SMTP)
	if err != nil || server.Hostname() == "" {
		return nil, fmt.Errorf("the mail server must be smtp://HOST:PORT or smtps://HOST:PORT")
	}
	port := server.Port()
	if port == "" {
		port = map[string]string{"smtp": "25", "smtps": "465"}[server.Scheme]
	}
	c := map[string]any{"to": strings.Join(e.To, ", "), "from": e.From, "smarthost": net.JoinHostPort(server.Hostname(), port),
		"require_tls": e.TLS != "none", "force_implicit_tls": server.Scheme == "smtps", "send_resolved": true, "hello": thisMachine(),
		"headers": map[string]string{"Subject": `{{ template "upkeep.mail.subject" . }}`},
		"text":    `{{ template "upkeep.mail.text" . }}`, "html": `{{ template "upkeep.mail.html" . }}`}
	if e.From == "" {
		c["from"] = "upkeep@" + thisMachine()
	}
	if e.User != "" {
		c["auth_username"], c["auth_password"] = e.User, e.Password
	}
	return c, nil
}

func thisMachine() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// templates are those that messages are made with, knowing the address of the page.
func (s Source) templates(patterns []string, page *url.URL) (*template.Template, error) {
	t, err := alertfile.Templates(filepath.Dir(s.File), patterns, s.Language)
	if err != nil {
		return nil, fmt.Errorf("read the templates of %s: %w", s.File, err)
	}
	t.ExternalURL = page
	return t, nil
}
