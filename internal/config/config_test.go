package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/config"
	"upkeep/internal/diag"
	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// database is a kind with one key of every sort.
type database struct {
	URL      string            `yaml:"url"`
	Password secret.Ref        `yaml:"password"`
	Names    []string          `yaml:"names"`
	Port     int               `yaml:"port"`
	Full     bool              `yaml:"full"`
	Factor   float64           `yaml:"factor"`
	Slow     quantity.Duration `yaml:"slow"`
	Wait     time.Duration     `yaml:"wait"`
	Memory   quantity.Bytes    `yaml:"memory"`
	Disk     limits            `yaml:"disk"`
	Pools    []pool            `yaml:"pools"`
	Labels   map[string]string `yaml:"labels"`
	Expect   any               `yaml:"expect"`
}

type limits struct {
	Warning  quantity.Share `yaml:"warning"`
	Critical quantity.Share `yaml:"critical"`
}

type pool struct {
	Size uint8 `yaml:"size"`
}

func (d *database) Defaults() { d.Port, d.Disk.Warning = 5432, 0.8 }

func (p *pool) Defaults() { p.Size = 5 }

func (d *database) Validate() (p diag.List) {
	if d.URL == "" {
		p.Addf("url", "must be given")
	}
	if d.Disk.Critical > 0 && d.Disk.Warning > d.Disk.Critical {
		p.Addf("disk.warning", "must be below critical, is %s", d.Disk.Warning)
	}
	for i, name := range d.Names {
		if name == "" {
			p.Addf("names["+string(rune('0'+i))+"]", "must not be empty")
		}
	}
	return p
}

type instance struct{ service.Queryer }

func (instance) Close() error { return nil }

type silent struct{}

func (silent) Close() error { return nil }

type host struct {
	Mounts []string `yaml:"mounts"`
	Cold   bool     `yaml:"cold"`
}

func (h *host) Stops() service.Stops {
	if !h.Cold {
		return service.Stops{}
	}
	return service.Stops{Approval: "host.cold", AtMost: time.Minute}
}

func kinds() *service.Registry {
	return service.NewRegistry(
		service.Define("postgres", func(service.Env, database) (instance, error) { return instance{}, nil }, nil, nil),
		service.Define("host", func(service.Env, host) (silent, error) { return silent{}, nil }, nil, nil),
	)
}

const whole = `
system: 图书馆
language: zh
services:
  db:
    kind: postgres
    title: Orders
    url: postgres://cot@127.0.0.1:5432/cot
    password: dotenv:.env#PASSWORD
    names: [a, "b c"]
    full: true
    factor: 1.5
    slow: 90s
    wait: 5m
    memory: 10 MiB
    disk: {critical: 90%}
    pools: [{size: 9}, {}]
    labels: {<<: &more {tier: "1"}, zone: 2}
    expect: {status: 200, json: {components.db: healthy}, list: [1, null]}
    after: [machine]
    limit: 10 MiB/s
    runs_in: machine/db
  machine: {kind: host, mounts: [/]}
repository: {path: copies, password: file:secrets/repository}
state: /srv/state
scratch: {dir: tmp}
tools: [bin, /opt/bin]
keep: {last: 3, daily: 7}
assertions:
  - {name: rows, target: db, query: select 1, expect: "> 0", severity: warning, fix: look, in: [check, drill]}
  - {name: ok, target: db, query: select true, expect: true}
accept:
  - {finding: postgres.bloat, target: db, until: 2027-01-31, why: planned}
jobs:
  daily: {at: "02:00", do: [check, backup, verify, drill, report]}
  monthly: {at: last Sunday 04:00, do: [report --month], missed: none, window: 2h, approve: [postgres.reindex]}
  now: {do: [check]}
`

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, problems := config.Parse("/srv/app/upkeep.yaml", []byte(text), kinds())
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadsAWholeDeclaration(t *testing.T) {
	c := parse(t, whole)
	db := c.Services[0].Config.(*database)
	same(t, "system", c.System+" "+c.Language+" "+c.Base, "图书馆 zh /srv/app")
	same(t, "order of services", c.Services[0].Name+c.Services[1].Name, "dbmachine")
	same(t, "kind", c.Services[0].Kind.Name()+c.Services[0].Title, "postgresOrders")
	same(t, "limit", c.Services[0].Limit, quantity.Bytes(10<<20))
	same(t, "runs in", c.Services[0].RunsIn, service.Place{Target: "machine", Unit: "db"})
	same(t, "line", c.Services[1].Line, 23)
	same(t, "password", db.Password.String(), "dotenv:.env#PASSWORD")
	same(t, "names", strings.Join(db.Names, "|"), "a|b c")
	same(t, "default kept", db.Port, 5432)
	same(t, "scalars", []any{db.Full, db.Factor, db.Slow.Std(), db.Wait, db.Memory}[0].(bool) && db.Factor == 1.5 && db.Slow.Std() == 90*time.Second && db.Wait == 5*time.Minute && db.Memory == 10<<20, true)
	same(t, "nested default kept", db.Disk, limits{Warning: 0.8, Critical: 0.9})
	same(t, "defaults of list items", db.Pools[0].Size*10+db.Pools[1].Size, 95)
	same(t, "merged keys", db.Labels["tier"]+db.Labels["zone"], "12")
	same(t, "free form", db.Expect.(map[string]any)["json"].(map[string]any)["components.db"], any("healthy"))
	same(t, "paths", strings.Join([]string{c.Repository.Path, c.State, c.Scratch.Dir, c.Tools[0], c.Tools[1]}, " "), "/srv/app/copies /srv/state /srv/app/tmp /srv/app/bin /opt/bin")
	same(t, "keep", *c.Keep, config.Keep{Last: 3, Daily: 7, NeverBelowProven: 1, Undo: quantity.Duration(7 * 24 * time.Hour)})
	same(t, "assertion defaults", string(c.Assertions[1].Severity)+strings.Join(c.Assertions[1].In, ","), "criticalcheck")
	same(t, "accepted until the end of the day", c.Accept[0].Until.Time, time.Date(2027, 2, 1, 0, 0, 0, 0, time.Local))
	same(t, "its text", c.Accept[0].Until.String(), "2027-01-31")
	same(t, "job", c.Jobs["monthly"].At.Describe("en"), "the last Sunday of the month 04:00")
	same(t, "missed", c.Jobs["daily"].Missed+c.Jobs["monthly"].Missed, "oncenone")
	same(t, "job without a time", c.Jobs["now"].At.IsZero(), true)
	same(t, "stored in points", string(c.Files["upkeep.yaml"]), whole)
	same(t, "digest", len(c.Digest), 64)
}

func same[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

var update = flag.Bool("update", false, "rewrite the want lines of testdata/*.bad.yaml")

// TestBadDeclarations reads testdata/*.bad.yaml, whose first lines say what must
// be reported: "# want LINE:COLUMN: PATH: message", all of it and in that order.
func TestBadDeclarations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			content = rewritten(t, file, string(content))
		}
		want, _ := wanted(string(content))
		if got := reported(file, content); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s:\ngot\n\t%s\nwant\n\t%s", file, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
		}
	}
}

func reported(file string, content []byte) (lines []string) {
	_, problems := config.Parse(file, content, kinds())
	for _, p := range problems {
		lines = append(lines, strings.TrimPrefix(p.String(), file+":"))
	}
	return lines
}

func wanted(content string) (want []string, rest string) {
	for line := range strings.Lines(content) {
		if text, ok := strings.CutPrefix(line, "# want "); ok {
			want = append(want, strings.TrimSpace(text))
		} else {
			rest += line
		}
	}
	return want, rest
}

// rewritten puts what is reported above the declaration. The first round only
// counts the lines, which move all positions.
func rewritten(t *testing.T, file, content string) []byte {
	t.Helper()
	_, rest := wanted(content)
	lines := reported(file, []byte(rest))
	for range 2 {
		content = "# want " + strings.Join(lines, "\n# want ") + "\n" + rest
		lines = reported(file, []byte(content))
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return []byte(content)
}

func TestLoadFindsDeclarations(t *testing.T) {
	dir := t.TempDir()
	write := func(name, system string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("system: "+system+"\nservices: {h: {kind: host}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	project, a := write("project/upkeep.yaml", "p"), write("many/a.yaml", "a")
	write("project/docker-compose.yaml", "compose")
	write("many/b.yaml", "b")
	again := write("again.yaml", "a")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		paths []string
		want  string
	}{
		{[]string{project}, "p"},
		{[]string{filepath.Join(dir, "project")}, "p"},
		{[]string{filepath.Join(dir, "many"), project}, "a b p"},
		{[]string{a, again}, `again.yaml:1:1: system: "a" is also declared in ` + a},
		{[]string{filepath.Join(dir, "empty")}, "empty: holds no upkeep.yaml and no other *.yaml"},
		{[]string{filepath.Join(dir, "none.yaml")}, "none.yaml: there is no such file; upkeep init writes one"},
		{[]string{"/dev/null"}, "/dev/null: is not a file of at most 1048576 bytes"},
	}
	for _, c := range cases {
		configs, problems := config.Load(c.paths, kinds())
		var names []string
		for _, cfg := range configs {
			if cfg != nil {
				names = append(names, cfg.System)
			}
		}
		if got := problems.Error() + strings.Join(names, " "); problems == nil && got != c.want || problems != nil && !strings.Contains(got, c.want) {
			t.Errorf("%v: got %s, want %s", c.paths, got, c.want)
		}
	}
}

func TestFindNamesTheDeclaration(t *testing.T) {
	t.Chdir(t.TempDir())
	none := func(string) string { return "" }
	set := func(string) string { return "/a.yaml:/b" }
	same(t, "named", strings.Join(config.Find([]string{"x", "y"}, set), " "), "x y")
	same(t, "nothing", strings.Join(config.Find(nil, none), " "), "upkeep.yaml")
	same(t, "environment", strings.Join(config.Find(nil, set), " "), "/a.yaml /b")
	if err := os.WriteFile("upkeep.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, "here before environment", strings.Join(config.Find(nil, set), " "), "upkeep.yaml")
}

func TestLiteralSecretsAreFoundWhereTheyStand(t *testing.T) {
	c := parse(t, `
system: s
services:
  db:
    kind: postgres
    url: postgres://u:hunter2@h/db
    password: hunter2
    names: ["host=h password=hunter2", "postgres://u@h", "no password: here"]
    labels: {url: "https://h/?password=hunter2&x=1"}
  fine:
    kind: postgres
    url: postgres://u@h:5432/db
    password: env:PW
repository: {path: p, password: hunter2}
`)
	var got []string
	for _, l := range config.Literals(c) {
		got = append(got, l.Path)
		if l.Line == 0 {
			t.Errorf("%s has no line", l.Path)
		}
	}
	want := "services.db.url services.db.password services.db.names[0] services.db.labels.url repository.password"
	same(t, "literals", strings.Join(got, " "), want)
	same(t, "line", config.Literals(c)[1].Line, 7)
}

func TestExpectations(t *testing.T) {
	cases := []struct {
		expect string
		holds  []any
		fails  []any
	}{
		{"> 0", []any{int64(1), 0.5, "3"}, []any{int64(0), nil, "x", false}},
		{">= 5", []any{int64(5)}, []any{4.9}},
		{"< 5", []any{int64(4)}, []any{int64(5)}},
		{"<= 5", []any{int64(5)}, []any{int64(6)}},
		{"= 3", []any{int64(3), 3.0, "3.0"}, []any{int64(4), nil}},
		{"3", []any{int64(3)}, []any{int64(4)}},
		{"!= 0", []any{int64(1), "x"}, []any{int64(0), nil}},
		{"= done", []any{"done"}, []any{"failed", nil}},
		{"!= done", []any{"failed"}, []any{"done", nil}},
		{"true", []any{true}, []any{false, nil, "true"}},
		{"false", []any{false}, []any{true, nil}},
		{"empty", []any{nil, ""}, []any{int64(0), "x"}},
	}
	for _, c := range cases {
		e, err := config.ParseExpect(c.expect)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range c.holds {
			if !e.Holds(v) {
				t.Errorf("%v does not hold for %s", v, e)
			}
		}
		for _, v := range c.fails {
			if e.Holds(v) {
				t.Errorf("%v holds for %s", v, e)
			}
		}
	}
	for _, bad := range []string{"", ">", "> many", "done", "=>3"} {
		if e, err := config.ParseExpect(bad); err == nil {
			t.Errorf("%q was read as %s", bad, e)
		}
	}
}

func TestAliasesThatGrowWithoutEndAreRefused(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("system: s\nservices:\n  db:\n    kind: postgres\n    url: u\n    expect:\n      a0: &a0 [x]\n")
	for i := range 30 {
		prev := "*a" + string(rune('0'+i%10))
		bomb.WriteString(regexp.MustCompile("N").ReplaceAllString("      bN: &a"+string(rune('0'+(i+1)%10))+" ["+prev+","+prev+","+prev+","+prev+"]\n", string(rune('a'+i%26))+string(rune('a'+i/26))))
	}
	for name, text := range map[string]string{
		"bomb":  bomb.String(),
		"self":  "system: s\nservices: {db: {kind: postgres, url: u, expect: &x {again: *x}}}",
		"merge": "system: s\nservices: {db: {kind: postgres, url: u, labels: &x {<<: *x}}}",
	} {
		if _, problems := config.Parse("f", []byte(text), kinds()); len(problems) != 1 || !strings.Contains(problems[0].Text(), "refers to itself") {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(whole)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	registry := kinds()
	f.Fuzz(func(t *testing.T, text string) {
		c, problems := config.Parse("f.yaml", []byte(text), registry)
		for _, p := range problems {
			if p.Line < 1 || p.Column < 0 || p.Text() == "" || !strings.Contains(text, "%!") && strings.Contains(p.Text(), "%!") {
				t.Errorf("a problem without a place or words: %+v", p)
			}
		}
		config.Literals(c)
	})
}
