package alertfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v4"
)

// stormy is what more often than that fills a mailbox: with a group_interval below it
// every change of a group is a mail of its own.
const stormy = time.Minute

// public are providers of mail that take none without a login.
var public = []string{"gmail.com", "googlemail.com", "office365.com", "outlook.com", "qq.com", "163.com", "126.com", "aliyun.com", "exmail.qq.com",
	"yahoo.com", "icloud.com", "me.com", "zoho.com", "sendgrid.net", "amazonaws.com", "mailgun.org", "feishu.cn", "139.com", "sina.com"}

// advise judges what loads. Templates that cannot be filled in are refused:
// Alertmanager would notice when the first alert is to be sent.
func (j *judgement) advise() {
	cfg, err := Load(j.text)
	if err != nil {
		j.stuck = true
		return
	}
	d := parse(j.text)
	refused := d.templates(j.dir, cfg)
	for _, m := range refused {
		j.add(m)
		j.stuck = true
	}
	var advice []mistake
	for _, judge := range []func(*config.Config) []mistake{d.storms, d.logins, d.misnamed, d.unused} {
		advice = append(advice, judge(cfg)...)
	}
	advice = append(advice, d.files(j.dir)...)
	var edits []edit
	for _, m := range advice {
		edits = append(edits, m.edits...)
		j.advice = append(j.advice, j.placed(m))
	}
	j.text = d.apply(edits)
}

// storms finds group_interval values that make a mail of every change.
func (d *document) storms(*config.Config) (all []mistake) {
	for _, k := range d.keys {
		t, err := model.ParseDuration(k.value.Value)
		if k.name != "group_interval" || err != nil || time.Duration(t) >= stormy {
			continue
		}
		m := at(k, "every %s a mail for each group that changes: a storm of mail while much goes wrong. Write:%s", k.value.Value)
		if e, ok := d.reword(k.value, "5m"); ok {
			all = append(all, m.mended(e))
		}
	}
	return all
}

// logins finds mail that is handed to a public provider without a login.
func (d *document) logins(cfg *config.Config) (all []mistake) {
	seen := map[string]bool{}
	for _, r := range cfg.Receivers {
		for _, e := range r.EmailConfigs {
			host := strings.ToLower(e.Smarthost.Host)
			if e.AuthUsername != "" || e.Smarthost.Port == "25" || !provider(host) || seen[host] {
				continue
			}
			seen[host] = true
			all = append(all, d.noLogin(e))
		}
	}
	return all
}

func provider(host string) bool {
	for _, p := range public {
		if host == p || strings.HasSuffix(host, "."+p) {
			return true
		}
	}
	return false
}

// noLogin shows where user and password go, as comments: upkeep does not know them.
func (d *document) noLogin(e *config.EmailConfig) mistake {
	k, ok := d.find(func(k key) bool {
		return k.value.Value == e.Smarthost.String() && strings.HasSuffix(k.name, "smarthost")
	})
	if !ok {
		return mistake{}
	}
	prefix := strings.TrimSuffix(k.name, "smarthost")
	m := at(k, "%s takes no mail without a login, and none is given: every alert would be lost. Add:%s", e.Smarthost.Host)
	if k.inFlow {
		return m.mended(edit{with: []string{prefix + "auth_username: '" + e.From + "'", prefix + "auth_password_file: FILE"}})
	}
	indent := strings.Repeat(" ", k.at.Column-1)
	lines := []string{indent + "# " + prefix + "auth_username: '" + e.From + "'", indent + "# " + prefix + "auth_password_file: FILE"}
	if slices.Contains(d.lines, lines[0]) {
		return m.shown(lines) // it was shown before, and still is a comment
	}
	return m.mended(edit{d.end(k), d.end(k), lines})
}

// misnamed finds receivers whose name says another way than the one they go.
func (d *document) misnamed(cfg *config.Config) (all []mistake) {
	names, nodes := d.receivers()
	for _, r := range cfg.Receivers {
		name := strings.ToLower(strings.NewReplacer(".", "", "-", "", "_", "").Replace(r.Name))
		mails := len(r.EmailConfigs) > 0 && len(r.WebhookConfigs) == 0
		posts := len(r.WebhookConfigs) > 0 && len(r.EmailConfigs) == 0
		switch {
		case mails && strings.Contains(name, "webhook"):
			all = append(all, d.renamed(r.Name, unlike("email", names), nodes[r.Name], "is called %q and sends mail: whoever looks for it is misled. Write:%s"))
		case posts && strings.Contains(name, "mail"):
			all = append(all, d.renamed(r.Name, unlike("webhook", names), nodes[r.Name], "is called %q and calls a webhook: whoever looks for it is misled. Write:%s"))
		}
	}
	return all
}

func unlike(name string, names []string) string {
	word := name
	for n := 2; slices.Contains(names, word); n++ {
		word = fmt.Sprintf("%s-%d", name, n)
	}
	return word
}

// renamed gives a receiver another name, also in the routes.
func (d *document) renamed(from, to string, node *yaml.Node, format string) mistake {
	k, _ := d.find(func(k key) bool { return k.value == node })
	var edits []edit
	for _, other := range d.keys {
		if other.value == node || other.name == "receiver" && other.value.Value == from {
			if e, ok := d.reword(other.value, to); ok {
				edits = append(edits, e)
			}
		}
	}
	return at(k, format, from).mended(edits...)
}

// unused finds receivers that no route leads to.
func (d *document) unused(cfg *config.Config) (all []mistake) {
	used := map[string]bool{}
	var walk func(*config.Route)
	walk = func(r *config.Route) {
		used[r.Receiver] = true
		for _, child := range r.Routes {
			walk(child)
		}
	}
	walk(cfg.Route)
	_, nodes := d.receivers()
	for _, r := range cfg.Receivers {
		if k, ok := d.find(func(k key) bool { return k.value == nodes[r.Name] }); ok && !used[r.Name] {
			all = append(all, at(k, "no route leads to %q: it never gets an alert", r.Name))
		}
	}
	return all
}

// files finds files of passwords and certificates that will not be found. Alertmanager
// takes them from the directory it was started in, save those of HTTP clients.
func (d *document) files(dir string) (all []mistake) {
	for _, k := range d.keys {
		path := k.value.Value
		if !strings.HasSuffix(k.name, "_file") || k.value.Kind != yaml.ScalarNode || path == "" || strings.Contains(k.path, "http_config") {
			continue
		}
		absolute, err := filepath.Abs(filepath.Join(dir, path))
		if filepath.IsAbs(path) || err != nil {
			absolute = path
		}
		if _, err := os.Stat(absolute); err != nil {
			all = append(all, at(k, "the file cannot be read: %s", err))
		}
		if e, ok := d.reword(k.value, absolute); ok && !filepath.IsAbs(path) {
			all = append(all, at(k, "is looked for in the directory in which upkeep serve is started. Write:%s").mended(e))
		}
	}
	return all
}

// templates fills in every template of the file with an alert like those to come.
func (d *document) templates(dir string, cfg *config.Config) (all []mistake) {
	t, err := Templates(dir, cfg.Templates, "en")
	if err != nil {
		k, _ := d.find(func(k key) bool { return k.name == "templates" })
		return []mistake{at(k, "a file of templates cannot be read: %s", err)}
	}
	data := t.Data("receiver", model.LabelSet{"alertname": "Example"}, nil, "", example())
	for _, k := range d.keys {
		if k.value.Kind != yaml.ScalarNode || !strings.Contains(k.value.Value, "{{") || !rendered(k.path) {
			continue
		}
		fill := t.ExecuteTextString
		if k.name == "html" {
			fill = t.ExecuteHTMLString
		}
		if _, err := fill(k.value.Value, data); err != nil {
			all = append(all, at(k, "the template cannot be filled in: %s", strings.TrimPrefix(err.Error(), "template: ")))
		}
	}
	return all
}

// rendered reports whether Alertmanager fills in what stands at a path.
func rendered(path string) bool { return strings.HasPrefix(path, "receivers[") }

func example() *alert.Alert {
	labels := model.LabelSet{"alertname": "Example", "severity": "warning", "instance": "db", "job": "example", "system": "example", "target": "db"}
	return &alert.Alert{Alert: model.Alert{Labels: labels, StartsAt: time.Now(),
		Annotations: model.LabelSet{"summary": "an example", "description": "an example", "runbook": "an example"}}}
}
