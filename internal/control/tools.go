package control

import (
	_ "embed"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"upkeep/internal/capability/dashboard"
	"upkeep/internal/config"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

//go:embed panels.yaml
var selfPanels []byte

// SelfPanels are the dashboard over the whole system: see capability/dashboard.
func SelfPanels() []byte { return selfPanels }

// kinds are those that are declared, each once, in the order of the declaration.
func (a *App) kinds() (all []service.Kind) {
	for _, s := range a.Config.Services {
		if !slices.ContainsFunc(all, func(k service.Kind) bool { return k.Name() == s.Kind.Name() }) {
			all = append(all, s.Kind)
		}
	}
	return all
}

// prometheusConfig is a prometheus.yml, as far as it is made here.
type prometheusConfig struct {
	Global  map[string]string `yaml:"global"`
	Rules   []string          `yaml:"rule_files"`
	Scrapes []scrapeConfig    `yaml:"scrape_configs"`
}

type scrapeConfig struct {
	Job    string `yaml:"job_name"`
	Honour bool   `yaml:"honor_labels"`
	// Targets are lists of addresses.
	Targets []map[string][]string `yaml:"static_configs"`
}

// PrometheusFiles let a Prometheus of one's own scrape upkeep serve, whose labels stay, and judge
// the rules of the declared kinds.
func (a *App) PrometheusFiles() ([]File, error) {
	const dir = "/etc/prometheus/"
	c := prometheusConfig{
		Global: map[string]string{"scrape_interval": a.Config.Monitor.Every.String(), "evaluation_interval": a.Config.Monitor.Every.String()},
		Rules:  []string{"upkeep-rules/*.yaml"},
		Scrapes: []scrapeConfig{{Job: selfKind, Honour: true,
			Targets: []map[string][]string{{"targets": {a.Config.Listen}}}}},
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write the scrape configuration: %w", err)
	}
	files := []File{{Path: dir + "upkeep.yml", Text: string(text)}}
	for _, rules := range a.Rules() {
		files = append(files, File{Path: dir + "upkeep-rules/" + rules.Path, Text: rules.Text})
	}
	return files, nil
}

// Rules are the alert rules that come with upkeep itself and with the declared kinds: a file
// each, named after it.
func (a *App) Rules() []File {
	files := []File{{Path: selfKind + ".yaml", Text: string(SelfRules())}}
	for _, k := range a.kinds() {
		if len(k.Rules()) > 0 {
			files = append(files, File{Path: k.Name() + ".yaml", Text: string(k.Rules())})
		}
	}
	return files
}

// Metrics are the families of samples that this system may have: of upkeep itself, of the
// declared kinds, and what the declaration adds.
func (a *App) Metrics() []service.Metric {
	all := SelfMetrics()
	for _, k := range a.kinds() {
		all = append(all, k.Metrics()...)
	}
	for _, s := range a.Config.Services {
		all = append(all, service.DeclaredMetrics(s.Config)...)
	}
	return all
}

// alertmanagerConfig is an alertmanager.yml, as far as it is made here.
type alertmanagerConfig struct {
	Route     map[string]any         `yaml:"route"`
	Receivers []alertmanagerReceiver `yaml:"receivers"`
}

type alertmanagerReceiver struct {
	Name     string           `yaml:"name"`
	Mails    []map[string]any `yaml:"email_configs,omitempty"`
	Webhooks []map[string]any `yaml:"webhook_configs,omitempty"`
}

// AlertmanagerFiles send alerts where notify: says. A declared alertmanager.yml is that already.
func (a *App) AlertmanagerFiles() ([]File, error) {
	const path = "/etc/alertmanager/alertmanager.yml"
	if own := a.Config.Monitor.Alertmanager; own != "" {
		text, err := os.ReadFile(own)
		return []File{{Path: path, Text: string(text)}}, err
	}
	r := alertmanagerReceiver{Name: selfKind}
	if mail := a.Config.Notify.Email; mail != nil {
		one, err := a.mail(mail)
		if err != nil {
			return nil, err
		}
		r.Mails = append(r.Mails, one)
	}
	if hook := a.Config.Notify.Webhook; !hook.IsZero() {
		key, place := a.secretKey("url", hook)
		r.Webhooks = append(r.Webhooks, map[string]any{key: place, "send_resolved": true})
	}
	text, err := yaml.Marshal(alertmanagerConfig{Receivers: []alertmanagerReceiver{r},
		Route: map[string]any{"receiver": r.Name, "group_by": []string{"alertname", "system"}, "group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}})
	return []File{{Path: path, Text: string(text)}}, err
}

func (a *App) mail(m *config.Email) (map[string]any, error) {
	server, err := url.Parse(m.SMTP)
	if err != nil {
		return nil, fmt.Errorf("read notify.email.smtp: %w", err)
	}
	port := server.Port()
	if port == "" {
		port = map[string]string{"smtps": "465"}[server.Scheme]
	}
	if port == "" {
		port = "25"
	}
	one := map[string]any{"to": strings.Join(m.To, ", "), "from": m.From, "smarthost": net.JoinHostPort(server.Hostname(), port),
		"require_tls": m.TLS != "none" && server.Scheme != "smtps", "send_resolved": true}
	if m.From == "" {
		one["from"] = "upkeep@localhost"
	}
	if m.User != "" {
		one["auth_username"] = m.User
	}
	if !m.Password.IsZero() {
		key, place := a.secretKey("auth_password", m.Password)
		one[key] = place
	}
	return one, nil
}

// secretKey is how Alertmanager is told a secret: by the file that holds it. One that is kept
// otherwise has to be put into a file of Alertmanager's. url_file is known from 0.26 on.
func (a *App) secretKey(key string, ref secret.Ref) (name, value string) {
	switch ref.Scheme {
	case secret.Literal:
		return key, ref.Place
	case secret.File:
		return key + "_file", a.Config.Resolve(ref.Place)
	}
	return key + "_file", "/etc/alertmanager/" + key
}

// GrafanaFiles are dashboards over the whole system and over each declared kind, with the data
// source that they ask: upkeep serve.
func (a *App) GrafanaFiles() ([]File, error) {
	const dir = "/etc/grafana/provisioning/"
	sources := map[string]any{"apiVersion": 1, "datasources": []map[string]any{
		{"name": selfKind, "type": "prometheus", "access": "proxy", "url": "http://" + a.Config.Listen + "/prometheus"}}}
	providers := map[string]any{"apiVersion": 1, "providers": []map[string]any{
		{"name": selfKind, "type": "file", "options": map[string]string{"path": dir + "dashboards/upkeep"}}}}
	var files []File
	for path, content := range map[string]any{"datasources/upkeep.yaml": sources, "dashboards/upkeep.yaml": providers} {
		text, err := yaml.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", path, err)
		}
		files = append(files, File{Path: dir + path, Text: string(text)})
	}
	slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Path, y.Path) })
	overview, err := a.dashboardFile("upkeep-overview", "upkeep", "", SelfPanels())
	if err != nil {
		return nil, err
	}
	files = append(files, overview)
	for _, k := range a.kinds() {
		if len(k.Panels()) == 0 {
			continue
		}
		made, err := a.dashboardFile("upkeep-"+k.Name(), "upkeep: "+k.Name(), k.Name(), k.Panels())
		if err != nil {
			return nil, err
		}
		files = append(files, made)
	}
	return files, nil
}

func (a *App) dashboardFile(uid, title, job string, panels []byte) (File, error) {
	parsed, err := dashboard.Parse(panels)
	if err != nil {
		return File{}, err
	}
	d := dashboard.Dashboard{UID: uid, Title: title, Language: a.opt.Words.Lang(), Job: job, Panels: parsed}
	text, err := d.JSON()
	return File{Path: filepath.Join("/etc/grafana/provisioning/dashboards/upkeep", uid+".json"), Text: string(text)}, err
}
