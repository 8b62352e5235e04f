package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"upkeep/bench/measure"
	"upkeep/lab"
)

// Family is Prometheus with what people run beside it, from Debian.
const Family = "Prometheus, Alertmanager, node, postgres and redis exporters"

// family are its running programs.
type family struct {
	programs []*background
	ports    map[string]int
}

// familyNames are the programs in the order in which they start: what is scraped first.
func familyNames() []string {
	return []string{"prometheus-node-exporter", "prometheus-postgres-exporter", "prometheus-redis-exporter", "prometheus-alertmanager", "prometheus"}
}

// startFamily watches the stores of the example system every 15 s, with a file of rules.
func startFamily(ctx context.Context, dir string, c *lab.CotStudio, rules string) (f *family, err error) {
	ports, err := freePorts(len(familyNames()))
	if err != nil {
		return nil, err
	}
	f = &family{ports: map[string]int{}}
	for i, name := range familyNames() {
		f.ports[name] = ports[i]
	}
	if err := f.configure(dir, rules); err != nil {
		return nil, err
	}
	for _, name := range familyNames() {
		argv, env, err := f.command(dir, name, c)
		if err != nil {
			return nil, errors.Join(err, f.stop())
		}
		b, err := startFromDisk(ctx, dir, fmt.Sprintf("http://127.0.0.1:%d/%s", f.ports[name], ready(name)), env, argv...)
		if err != nil {
			return nil, errors.Join(err, f.stop())
		}
		f.programs = append(f.programs, b)
	}
	return f, nil
}

func ready(name string) string {
	if name == "prometheus" || name == "prometheus-alertmanager" {
		return "-/ready"
	}
	return "metrics"
}

const familyConfig = `global: {scrape_interval: 15s, evaluation_interval: 15s}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:%d"]}]}]}
scrape_configs:
  - {job_name: node, static_configs: [{targets: ["127.0.0.1:%d"]}]}
  - {job_name: postgres, static_configs: [{targets: ["127.0.0.1:%d"]}]}
  - {job_name: redis, static_configs: [{targets: ["127.0.0.1:%d"]}]}
`

const alertmanagerConfig = "route: {receiver: none}\nreceivers: [{name: none}]\n"

func (f *family) configure(dir, rules string) error {
	text := fmt.Sprintf(familyConfig, rules, f.ports["prometheus-alertmanager"], f.ports["prometheus-node-exporter"],
		f.ports["prometheus-postgres-exporter"], f.ports["prometheus-redis-exporter"])
	return errors.Join(os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "alertmanager.yml"), []byte(alertmanagerConfig), 0o600))
}

func (f *family) command(dir, name string, c *lab.CotStudio) (argv, env []string, err error) {
	env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	listen := fmt.Sprintf("--web.listen-address=127.0.0.1:%d", f.ports[name])
	argv = []string{name, listen}
	switch name {
	case "prometheus":
		argv = append(argv, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb")
	case "prometheus-alertmanager":
		argv = append(argv, "--config.file=alertmanager.yml", "--storage.path=alerts", "--cluster.listen-address=")
	case "prometheus-postgres-exporter":
		db, err := c.Part("postgres")
		if err != nil {
			return nil, nil, err
		}
		env = append(env, "DATA_SOURCE_NAME="+db.DSN("cotdb")+"?sslmode=disable")
	case "prometheus-redis-exporter":
		cache, err := c.Part("redis")
		if err != nil {
			return nil, nil, err
		}
		argv[1] = listen[1:] // this one has one dash
		env = append(env, "REDIS_ADDR=redis://"+cache.Addr(), "REDIS_PASSWORD="+cache.Password)
	}
	return argv, env, nil
}

func (f *family) group() measure.Group {
	g := measure.Group{Name: Family}
	for _, b := range f.programs {
		g.PIDs = append(g.PIDs, b.pid())
	}
	return g
}

// stop ends them, who asks first.
func (f *family) stop() (err error) {
	for _, b := range slices.Backward(f.programs) {
		err = errors.Join(err, b.stop())
	}
	return err
}
