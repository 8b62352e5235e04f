package dataset

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"upkeep/internal/diag"
	"upkeep/internal/glob"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

// Config declares one store: a directory, the tables in it and what must hold between
// them. Paths and patterns are relative to dir.
type Config struct {
	Dir string `yaml:"dir"` // of the store
	// Tables are named as queries name them.
	Tables map[string]Table `yaml:"tables"`
	// Copies are tables that hold what another one holds: {source: leaves, copy: results,
	// by: [model], same: {success: "full_success + partial"}}.
	Copies map[string]Agreement `yaml:"copies"`
	// Waiting are files that some program should take in: {files: [temp/*.json],
	// at_most: 100, max_age: 1m}.
	Waiting map[string]Waiting `yaml:"waiting"`
	// Metrics are samples of upkeep collect, by their names: {results_total: {table: leaves,
	// value: "sum(total)"}}. They are measured when the files changed, up to read_at_check.
	Metrics map[string]Metric `yaml:"metrics"`
	// Reports are results that upkeep report sums up, ranks and compares with the last report:
	// {results: {table: leaves, by: [model, prompt], trials: "sum(total)", successes: "sum(success)"}}.
	Reports map[string]Report `yaml:"reports"`
	// ReadAtCheck is how much a check reads; of larger tables it reads what their files
	// say of themselves. upkeep data diagnose reads everything.
	ReadAtCheck quantity.Bytes `yaml:"read_at_check"`
	// Also are files that belong to the store beside those of its tables; exclude leaves some
	// of them out: {also: ["config/*.json"], exclude: ["config/*.bak.json"]}. Other files are
	// in no copy.
	Also    []string `yaml:"also"`
	Exclude []string `yaml:"exclude"`
	// Locks are files that the store's writers lock with flock while they write: [master.lock].
	// A copy shares them while it reads, a restore holds them alone; none is made or removed.
	Locks []string `yaml:"locks"`
	// LockWait is how long they are waited for. A copy then goes on without and says so.
	LockWait quantity.Duration `yaml:"lock_wait"`
	// LockAtMost is how long a process may hold one; longer is a warning. How old the file is
	// says nothing.
	LockAtMost quantity.Duration `yaml:"lock_at_most"`
	// Batches say how programs make the rows; upkeep tune then says how large one should be.
	Batches Batches `yaml:"batches"`
	// Writers are targets whose processes write into the store: [batch, smart]. upkeep data
	// recover ends them before it replaces anything.
	Writers []string `yaml:"writers"`
	// Saves are copies of a table's file that people and programs left beside it, by the table:
	// {leaves: ["master_*.json", "backups/**/master.json"]}. upkeep data recover looks through them.
	Saves map[string][]string `yaml:"saves"`
}

// Table is files of one format, or objects within a JSON document.
type Table struct {
	// Files are Parquet, CSV or JSON lines (.jsonl, .ndjson); patterns take many as one table.
	Files []string `yaml:"files"`
	// Optional says that a store may be without them: that they are missing is no finding.
	Optional bool `yaml:"optional"`
	// Document is a JSON file, and rows says where its rows lie: keys divided by slashes, {name}
	// for any key, which becomes a column: "models/{model}/by_prompt/{prompt}".
	Document string `yaml:"document"`
	Rows     string `yaml:"rows"`
	// Columns are text, integer, number or boolean; "integer?" may be missing.
	Columns map[string]Column `yaml:"columns"`
	// Beside are columns that only convert reads and writes: no check judges them.
	Beside map[string]Column `yaml:"beside"`
	// Key is what tells rows apart; fold says how a column of it is compared: {rate:
	// "round(rate, 4)", model: "lower(model)"}.
	Key  []string          `yaml:"key"`
	Fold map[string]string `yaml:"fold"`
	// Order says which of rows with one key is the last: the highest by these columns, then
	// the one that was written last.
	Order []string `yaml:"order"`
	// Totals are numbers that may not fall from one check to the next: {tests: "sum(total)"}.
	Totals map[string]string `yaml:"totals"`
	// Lasting are groups of rows that may neither vanish nor lose of a total: {model: model,
	// prompt: "concat_ws(' ', model, prompt)"}.
	Lasting map[string]string `yaml:"lasting"`
	// Created is a field at the top of the document that stays as long as the document is
	// the same: when it changes, the document was made anew.
	Created string `yaml:"created"`
	// Updated is a field at the top of the document that says when it was last written. Without
	// it that is the newest time that stands anywhere in the file.
	Updated string `yaml:"updated"`
	// Derived are columns that follow from others: {success_rate: "success / total"}. Rows
	// in which either is null are not judged.
	Derived map[string]string `yaml:"derived"`
	// Invariants hold in every row: {within-total: "success <= total"}. Null is not judged.
	Invariants map[string]string `yaml:"invariants"`
	// Usual holds in every row that is as it should be; others are a warning.
	Usual map[string]string `yaml:"usual"`
	// Levels are sums that a document also keeps further up: {"models/{model}": {total_tests:
	// "sum(total)"}, summary: {total_tests: "sum(total)"}}.
	Levels map[string]map[string]string `yaml:"levels"`
	// Increments are files with rows that are not merged into the table yet.
	Increments Increments `yaml:"increments"`
}

// Increments are files beside the one of a table.
type Increments struct {
	Files  []string          `yaml:"files"`
	AtMost int64             `yaml:"at_most"` // more are a warning; 0 accepts any number
	MaxAge quantity.Duration `yaml:"max_age"` // of the oldest; 0 accepts any age
	// Grace is how long an increment stays after its rows were proven to be in the table; 0 =
	// a day.
	Grace quantity.Duration `yaml:"grace"`
	// QuarantineAfter is how long one that cannot be read must not have been written to before
	// a merge moves it into quarantine; 0 = ten minutes.
	QuarantineAfter quantity.Duration `yaml:"quarantine_after"`
}

// Waiting are files that should not stay.
type Waiting struct {
	Files  []string          `yaml:"files"`
	AtMost int64             `yaml:"at_most"` // more are a warning; 0 accepts any number
	MaxAge quantity.Duration `yaml:"max_age"` // of the oldest; 0 accepts any age
}

// Metric is one number over all rows of a table, or how many increments it has.
type Metric struct {
	Table      string `yaml:"table"`
	Value      string `yaml:"value"`      // an expression; null gives no sample
	Increments bool   `yaml:"increments"` // those that are not merged yet, in place of a value
	Help       string `yaml:"help"`
}

// Agreement says that two tables hold the same.
type Agreement struct {
	Source string   `yaml:"source"` // the table that is right
	Copy   string   `yaml:"copy"`
	By     []string `yaml:"by"` // columns of both that tell rows apart; each as its table folds it
	// Same are expressions that must give the same: of the source's row, and of the copy's.
	Same map[string]string `yaml:"same"`
	// Columns are what upkeep data convert writes into the copy, of all rows of the source with
	// one key: {total: "sum(total)"}. A column that is not named, or whose expression is null, keeps
	// its value.
	Columns map[string]string `yaml:"columns"`
	// Back are what it writes into the source, of all rows of the copy with one key. Rows of
	// which the copy says nothing stay.
	Back map[string]string `yaml:"back"`
	// New are fields of levels that convert has to make in a document: {"models/{model}":
	// {name: "any_value(model)"}}, of the keys of all new rows below.
	New map[string]map[string]string `yaml:"new"`
	// Provided holds in every row of the copy; else its columns mean something else, and
	// neither table is written.
	Provided string `yaml:"provided"`
}

// Column is the type of one, with ? where it may be missing.
type Column string

func (c Column) optional() bool { return strings.HasSuffix(string(c), "?") }

// sql is the type in the database; "" is none that is known.
func (c Column) sql() string {
	return map[string]string{"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}[strings.TrimSuffix(string(c), "?")]
}

// Defaults are those of a declaration that says nothing.
func (c *Config) Defaults() {
	c.ReadAtCheck = 64 << 20
	c.LockWait = quantity.Duration(10 * time.Second)
	c.LockAtMost = usualLock
}

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if c.Dir == "" {
		p.Addf("dir", "must name a directory")
	}
	if len(c.Tables) == 0 {
		p.Addf("tables", "must declare at least one table: {NAME: {files: [results.parquet], columns: {total: integer}}}")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		c.Tables[name].validate("tables."+name, &p)
	}
	for name, a := range c.Copies {
		c.agreement("copies."+name, a, &p)
	}
	for name, w := range c.Waiting {
		if len(w.Files) == 0 {
			p.Addf("waiting."+name+".files", "must name at least one pattern")
		}
		glob.Validate(&p, "waiting."+name+".files", w.Files)
	}
	c.validateCopying(&p)
	c.validateReports(&p)
	c.batches(&p)
	c.validateSaves(&p)
	for name, m := range c.Metrics {
		c.metric("metrics."+name, name, m, &p)
	}
	for path, err := range tables.Expressions(c.expressions()) {
		p.Addf(strings.TrimSuffix(path, " (source)"), "must be an expression over the columns of a row: %v", err)
	}
	return p
}

func (c *Config) validateCopying(p *diag.List) {
	glob.Validate(p, "also", c.Also)
	glob.Validate(p, "exclude", c.Exclude)
	for i, name := range c.Locks {
		if !filepath.IsLocal(name) {
			p.Addf(fmt.Sprintf("locks[%d]", i), "must be a path below dir")
		}
	}
	if c.LockWait < 0 {
		p.Addf("lock_wait", "must not be negative")
	}
	if c.LockAtMost <= 0 {
		p.Addf("lock_at_most", "must be longer than 0")
	}
}

func (t Table) validate(path string, p *diag.List) {
	if (len(t.Files) == 0) == (t.Document == "") {
		p.Addf(path, "must have either files or a document")
	}
	glob.Validate(p, path+".files", t.Files)
	glob.Validate(p, path+".increments.files", t.Increments.Files)
	t.validateFormat(path, p)
	t.validateDocument(path, p)
	known := t.known()
	if len(t.Columns) == 0 {
		p.Addf(path+".columns", "must name at least one column: {total: integer}")
	}
	for name, c := range t.wider().Columns {
		if c.sql() == "" {
			p.Addf(path+".columns."+name, "%q is none of text, integer, number, boolean; \"integer?\" may be missing", c)
		}
	}
	for key, names := range map[string][]string{"key": t.Key, "order": t.Order, "fold": slices.Sorted(maps.Keys(t.Fold)), "derived": slices.Sorted(maps.Keys(t.Derived))} {
		for _, name := range names {
			if !slices.Contains(known, name) {
				p.Addf(path+"."+key, "%q is no declared column", name)
			}
		}
	}
}

func (t Table) validateFormat(path string, p *diag.List) {
	formats := map[tables.Format]bool{}
	for _, file := range slices.Concat(t.Files, t.Increments.Files) {
		formats[tables.FormatOf(file)] = true
	}
	if formats[""] || len(formats) > 1 {
		p.Addf(path+".files", "must all end in .parquet, or all in .csv, or all in .jsonl or .ndjson")
	}
}

func (t Table) validateDocument(path string, p *diag.List) {
	if t.Document == "" {
		if t.Rows != "" || t.Created != "" || t.Updated != "" || len(t.Levels) > 0 {
			p.Addf(path, "rows, created, updated and levels are of a document")
		}
		return
	}
	rows, err := document.ParsePattern(t.Rows)
	if err != nil {
		p.Addf(path+".rows", "must be keys divided by slashes: %v", err)
	}
	for at := range t.Levels {
		level, err := document.ParsePattern(at)
		if err != nil {
			p.Addf(path+".levels."+at, "must be keys divided by slashes: %v", err)
		}
		for _, name := range level.Captures() {
			if !slices.Contains(rows.Captures(), name) {
				p.Addf(path+".levels."+at, "{%s} is not in rows", name)
			}
		}
	}
}

func (c *Config) agreement(path string, a Agreement, p *diag.List) {
	for key, name := range map[string]string{"source": a.Source, "copy": a.Copy} {
		t, declared := c.Tables[name]
		if !declared {
			p.Addf(path+"."+key, "%q is no declared table", name)
			continue
		}
		for _, column := range a.By {
			if !slices.Contains(t.known(), column) {
				p.Addf(path+".by", "%q is no column of %s", column, name)
			}
		}
	}
	if len(a.By) == 0 {
		p.Addf(path+".by", "must name the columns that tell rows apart")
	}
	if len(a.Same) == 0 {
		p.Addf(path+".same", "must name at least one: {total: total}")
	}
	c.converting(path, a, p)
}

func (c *Config) metric(path, name string, m Metric, p *diag.List) {
	if !model.LegacyValidation.IsValidMetricName(name) {
		p.Addf(path, "is no name of a metric: letters, digits and underscores")
	}
	if _, declared := c.Tables[m.Table]; !declared {
		p.Addf(path+".table", "%q is no declared table", m.Table)
	}
	if (m.Value == "") == !m.Increments {
		p.Addf(path, "must have either a value or increments: true")
	}
}

// expressions lists what DuckDB will be asked, by path.
func (c *Config) expressions() map[string]string {
	all := c.Batches.expressions()
	add := func(path string, named map[string]string) {
		for name, text := range named {
			all[path+"."+name] = text
		}
	}
	for name, t := range c.Tables {
		path := "tables." + name
		add(path+".fold", t.Fold)
		add(path+".totals", t.Totals)
		add(path+".derived", t.Derived)
		add(path+".lasting", t.Lasting)
		add(path+".invariants", t.Invariants)
		add(path+".usual", t.Usual)
		for at, sums := range t.Levels {
			add(path+".levels."+at, sums)
		}
	}
	for name, a := range c.Copies {
		add("copies."+name+".same", a.Same)
		add("copies."+name+".columns", a.Columns)
		add("copies."+name+".back", a.Back)
		for at, fields := range a.New {
			add("copies."+name+".new."+at, fields)
		}
		if a.Provided != "" {
			all["copies."+name+".provided"] = a.Provided
		}
		for source := range a.Same {
			all["copies."+name+".same."+source+" (source)"] = source
		}
	}
	for name, r := range c.Reports {
		r.expressions("reports."+name, add)
	}
	for name, m := range c.Metrics {
		if m.Value != "" {
			all["metrics."+name+".value"] = m.Value
		}
	}
	return all
}

// known are the columns of a table: those declared, and those that its place in a
// document gives.
func (t Table) known() []string {
	rows, err := document.ParsePattern(t.Rows)
	if err != nil {
		rows = document.Pattern{}
	}
	return slices.Concat(rows.Captures(), slices.Sorted(maps.Keys(t.Columns)))
}

// Reach is the store: what its programs wrote is merged, moved and replaced, and who has it
// open or locked is looked for.
func (c *Config) Reach() service.Reach {
	return service.Reach{Reads: []string{c.Dir}, Writes: []string{c.Dir}, Processes: true}
}
