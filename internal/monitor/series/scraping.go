package series

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/dns" // the ways of finding targets that this program has
	_ "github.com/prometheus/prometheus/discovery/file"
	_ "github.com/prometheus/prometheus/discovery/http"
	_ "github.com/prometheus/prometheus/discovery/moby"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/util/logging"
)

// bodyLimit is how much one target may answer where the declaration sets no limit: a broken
// one must not fill memory.
const bodyLimit = 10 << 20

// notifyQueue is how many alerts wait for each Alertmanager that the declaration names, a
// tenth of Prometheus' own.
const notifyQueue = 1000

// finder follows where targets are, from the first declaration that names any: a manager that runs
// wakes the process ten times a second.
type finder struct {
	*discovery.Manager
	named chan struct{} // holds one when there is something to follow
}

func (f finder) apply(found map[string]discovery.Configs) error {
	if len(found) > 0 {
		select {
		case f.named <- struct{}{}:
		default:
		}
	}
	return f.ApplyConfig(found)
}

// run ends with the context that the finder was made with, which is its only error, or with ctx
// before there was anything to follow.
func (f finder) run(ctx context.Context) {
	select {
	case <-f.named:
		_ = f.Run()
	case <-ctx.Done():
	}
}

// scraping hands the manager to remote write, which sends what kind each metric is.
type scraping struct{ *Store }

func (s scraping) Get() (*scrape.Manager, error) { return s.scrape, nil }

func (s *Store) buildScraping(life context.Context) (err error) {
	metrics, err := discovery.CreateAndRegisterSDMetrics(s.registry)
	if err != nil {
		return err
	}
	finds := func(name string) finder {
		manager := discovery.NewManager(life, quiet(s.opt.Log, name), s.registry, metrics, discovery.Name(name))
		return finder{manager, make(chan struct{}, 1)}
	}
	s.find, s.findAlso = finds("targets"), finds("alertmanagers")
	s.scrape, err = scrape.NewManager(&scrape.Options{DiscoveryReloadOnStartup: true}, quiet(s.opt.Log, "scrape"),
		logging.NewJSONFileLogger, nil, s.storage, s.registry)
	return err
}

func (s *Store) findTargets(c *config.Config) error {
	jobs, err := c.GetScrapeConfigs()
	if err != nil {
		return err
	}
	found := map[string]discovery.Configs{}
	for _, job := range jobs {
		found[job.JobName] = job.ServiceDiscoveryConfigs
	}
	return s.find.apply(found)
}

func (s *Store) findAlertmanagers(c *config.Config) error {
	found := map[string]discovery.Configs{}
	for name, am := range c.AlertingConfig.AlertmanagerConfigs.ToMap() {
		found[name] = am.ServiceDiscoveryConfigs
	}
	return s.findAlso.apply(found)
}

// Target is one address that is scraped.
type Target struct {
	Job     string
	URL     string
	Labels  map[string]string
	Health  string // up, down or unknown: not yet asked
	Err     string
	Scraped time.Time
	Took    time.Duration
}

// Targets are all that are scraped, by job and address.
func (s *Store) Targets() (all []Target) {
	for job, found := range s.scrape.TargetsActive() {
		for _, t := range found {
			all = append(all, describe(job, t))
		}
	}
	slices.SortFunc(all, func(a, b Target) int { return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.URL, b.URL)) })
	return all
}

func describe(job string, t *scrape.Target) Target {
	d := Target{Job: job, URL: t.URL().Redacted(), Labels: t.Labels(labels.NewBuilder(labels.EmptyLabels())).Map(),
		Health: string(t.Health()), Scraped: t.LastScrape(), Took: t.LastScrapeDuration()}
	if err := t.LastError(); err != nil {
		d.Err = err.Error()
	}
	return d
}

// lenient gives every job a limit of its answers, and takes text without a type for samples, as
// Prometheus 2 did: declarations written for it say nothing about that.
func lenient(c *config.Config) {
	if c.GlobalConfig.BodySizeLimit == 0 {
		c.GlobalConfig.BodySizeLimit = bodyLimit
	}
	for _, job := range c.ScrapeConfigs {
		if job.BodySizeLimit == 0 {
			job.BodySizeLimit = c.GlobalConfig.BodySizeLimit
		}
		if job.ScrapeFallbackProtocol == "" {
			job.ScrapeFallbackProtocol = config.PrometheusText0_0_4
		}
	}
}

// Alert is one that fires, or has ended: then EndsAt is in the past.
type Alert struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
	Generator           string // link to the expression
}

// sender gives alerts to this process and to the Alertmanagers that the declaration names.
type sender struct{ *Store }

func (s sender) Send(alerts ...*notifier.Alert) {
	s.notifier.Send(alerts...)
	if s.opt.Notify == nil {
		return
	}
	s.mu.Lock()
	also := s.state.config.GlobalConfig.ExternalLabels
	s.mu.Unlock()
	told := make([]Alert, len(alerts))
	for i, a := range alerts {
		told[i] = Alert{Labels: withLabels(a.Labels, also), Annotations: a.Annotations.Map(), StartsAt: a.StartsAt, EndsAt: a.EndsAt, Generator: a.GeneratorURL}
	}
	s.opt.Notify(told...)
}

// withLabels adds those that the alert does not have.
func withLabels(l, also labels.Labels) map[string]string {
	all := also.Map()
	l.Range(func(own labels.Label) { all[own.Name] = own.Value })
	return all
}

// discoveries are the ways of finding targets that this program has, as a declaration names them.
func discoveries() (names []string) {
	for _, kind := range discovery.RegisteredConfigNames() {
		if kind == "static" {
			names = append(names, "static_configs")
			continue
		}
		names = append(names, fmt.Sprintf("%s_sd_configs", kind))
	}
	return names
}
