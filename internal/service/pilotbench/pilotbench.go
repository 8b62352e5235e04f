// Package pilotbench keeps a results store of PILOT-Bench: a JSON master database in
// one of its versions and a Parquet copy in one of its generations. It is a dataset whose
// declaration follows from what lies there: only that is said here.
package pilotbench

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
	"upkeep/internal/tables/document"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all. What it can do is what a dataset can.
var Kind = service.Define("pilotbench", open, text, example).Monitored(monitoring)

// Paths within a store.
const (
	master  = "pilot_bench_cumulative_results/master_database.json"
	results = "pilot_bench_parquet_data/test_results.parquet"
)

// Config declares one store.
type Config struct {
	// Dir holds pilot_bench_cumulative_results and pilot_bench_parquet_data.
	Dir string `yaml:"dir"`
	// JSON and Parquet are "none" where a store has no such side and needs none.
	JSON    side `yaml:"json"`
	Parquet side `yaml:"parquet"`
	// ReadAtCheck is how much a check reads; upkeep data diagnose reads everything.
	ReadAtCheck quantity.Bytes `yaml:"read_at_check"`
	// AtMost and MaxAge are of increments that are not merged yet.
	Increments dataset.Increments `yaml:"increments"`
	// Also are files that belong to the store beside both databases; exclude leaves some of
	// them out. The configuration holds keys of providers; copies are encrypted.
	Also    []string `yaml:"also"`
	Exclude []string `yaml:"exclude"`
	// LockWait is how long the locks of the store's writers are waited for. A copy then goes on
	// without and says so.
	LockWait quantity.Duration `yaml:"lock_wait"`
	// LockAtMost is how long a process may hold one; longer is a warning. How old the file is
	// says nothing.
	LockAtMost quantity.Duration `yaml:"lock_at_most"`
	// Batches are what the store does not tell: {overhead: 30s, lost_every: 8h, timeout: 20m,
	// checkpoint: 10, size: 20}. How long an item takes is known where the database says it.
	Batches dataset.Batches `yaml:"batches"`
	// Writers are targets whose processes write into the store: [batch, smart, parallel]. upkeep
	// data recover ends them before it replaces anything.
	Writers []string `yaml:"writers"`
	// Saves are copies of the database that people and programs left beside it. upkeep data
	// recover looks through them.
	Saves []string `yaml:"saves"`
}

// Defaults are those of a declaration that says nothing.
func (c *Config) Defaults() {
	var of dataset.Config
	of.Defaults()
	c.ReadAtCheck, c.LockWait, c.LockAtMost, c.Also, c.Saves = of.ReadAtCheck, of.LockWait, of.LockAtMost, beside(), saves()
	c.Increments = dataset.Increments{Files: []string{"pilot_bench_parquet_data/incremental/increment_*.parquet"}, AtMost: 100, MaxAge: dayOfIncrements}
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if c.Dir == "" {
		p.Addf("dir", "must name the directory that holds pilot_bench_cumulative_results and pilot_bench_parquet_data")
	}
	c.validateSides(&p)
	glob.Validate(&p, "also", c.Also)
	glob.Validate(&p, "exclude", c.Exclude)
	glob.Validate(&p, "saves", c.Saves)
	if c.LockWait < 0 {
		p.Addf("lock_wait", "must not be negative")
	}
	if c.LockAtMost <= 0 {
		p.Addf("lock_at_most", "must be longer than 0")
	}
	return p
}

// beside are files that belong to a store and hold no table. Copies of the database that
// programs left beside it do not.
func beside() []string {
	return []string{"config/*.json", "pilot_bench_parquet_data/metadata.json", "pilot_bench_parquet_data/model_stats.parquet", "temp_results/*.json"}
}

// locks are what the programs take while they write: two that know nothing of each other
// for the database, one for the Parquet file, one for taking in temporary results.
func locks() []string {
	return []string{"pilot_bench_cumulative_results/master_database.lock", "pilot_bench_cumulative_results/master_database.json.lock",
		results + ".lock", "temp_results/.merger.lock"}
}

func open(env service.Env, cfg Config) (*dataset.Instance, error) {
	m := memory{state: env.State, own: cfg.Dir}
	if !filepath.IsAbs(m.own) {
		m.own = filepath.Join(env.Base, m.own)
	}
	return dataset.New(env, cfg.Dir, func(ctx context.Context, dir string) (dataset.Config, []service.Finding, error) {
		return cfg.declare(ctx, m, dir)
	}), nil
}

// declare looks at the head of the database and the footer of the Parquet file. What is
// of no known form is a finding, and declared only as far as it can be judged.
func (c Config) declare(ctx context.Context, m memory, dir string) (d dataset.Config, unknown []service.Finding, err error) {
	d.Defaults()
	d.Dir, d.ReadAtCheck, d.Waiting = c.Dir, c.ReadAtCheck, waiting()
	d.Also, d.Exclude, d.Locks, d.LockWait, d.LockAtMost = c.Also, c.Exclude, locks(), c.LockWait, c.LockAtMost
	d.Tables, d.Copies = map[string]dataset.Table{}, map[string]dataset.Agreement{}
	there, unknown, err := c.sides(ctx, m, dir)
	if err != nil {
		return d, nil, err
	}
	d.Writers = c.Writers
	if there.json {
		more, err := c.declareDatabase(dir, &d)
		if err != nil {
			return d, nil, err
		}
		unknown = append(unknown, more...)
	}
	if there.parquet {
		more, err := c.declareParquet(ctx, m, dir, there, &d)
		if err != nil {
			return d, nil, err
		}
		unknown = append(unknown, more...)
	}
	reports(dir, &d)
	return d, unknown, nil
}

func (c Config) declareDatabase(dir string, d *dataset.Config) (unknown []service.Finding, err error) {
	version, err := versionOf(filepath.Join(dir, master))
	if err != nil {
		return nil, err
	}
	d.Batches = timed(c.Batches, version)
	maps.Copy(d.Tables, databases()[version])
	if databases()[version] == nil {
		d.Tables["database"] = plainDatabase()
		unknown = append(unknown, service.Finding{ID: "pilotbench.version-unknown", Severity: service.Unknown, Subject: master, Args: service.Args{"path": master, "version": version}})
	}
	c.save(d)
	return unknown, nil
}

// versionOf is what the database says of itself, and the usual one where it is missing or
// damaged: the judgement of the file tells that.
func versionOf(path string) (string, error) {
	version, err := readVersion(path)
	var unopened *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usualVersion, nil
	case errors.As(err, &unopened) && unopened.Op == "open":
		return "", err
	case err != nil:
		return usualVersion, nil
	}
	return version, nil
}

// readVersion is "" where the document says none.
func readVersion(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // it was only read
	head, err := document.Head(file, "version")
	if err != nil {
		return "", err
	}
	version, _ := head["version"].(string)
	return version, nil
}

func (c Config) declareParquet(ctx context.Context, m memory, dir string, lies there, d *dataset.Config) (unknown []service.Finding, err error) {
	of, err := m.generation(ctx, dir)
	if err != nil {
		return nil, err
	}
	table, known := generations()[of]
	if !known {
		table = generations()[usualGeneration]
		table.Columns, table.Key, table.Fold = map[string]dataset.Column{"model": "text?"}, nil, nil
		table.Derived, table.Invariants, table.Totals, table.Lasting = nil, nil, nil, nil
		unknown = append(unknown, service.Finding{ID: "pilotbench.generation-unknown", Severity: service.Unknown, Subject: results, Args: service.Args{"path": results}})
	}
	table.Increments, table.Optional = c.Increments, lies.optional
	d.Tables["results"] = table
	if d.Metrics = metrics(); !known {
		maps.DeleteFunc(d.Metrics, func(_ string, m dataset.Metric) bool { return !m.Increments })
	}
	for name, value := range measures()[of] {
		m := d.Metrics[name]
		m.Value = value
		d.Metrics[name] = m
	}
	if _, leaves := d.Tables["leaves"]; leaves && known {
		d.Copies["parquet"] = dataset.Agreement{Source: "leaves", Copy: "results", By: key(), Same: same()[of],
			Columns: columnsOf(of), Back: backOf(of), New: map[string]map[string]string{"models/{model}": {"model_name": "any_value(model)"}}, Provided: provided()[of]}
	}
	return unknown, nil
}

// Reach is the store: what its programs wrote is merged, moved and replaced, and who has it
// open or locked is looked for.
func (c *Config) Reach() service.Reach {
	return service.Reach{Reads: []string{c.Dir}, Writes: []string{c.Dir}, Processes: true}
}
