package neo4j

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/catalogue"
	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// TestMain puts the launcher on PATH, as an installed Neo4j has it, and ends the
// server that tests share.
func TestMain(m *testing.M) {
	if bin, err := lab.Neo4jBin(); err == nil {
		_ = os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	}
	code := m.Run()
	shared.end()
	os.Exit(code)
}

// shared is one server for all tests that leave it as they want it themselves: a
// start takes ten seconds. Tests of this package do not run side by side.
var shared common

type common struct {
	once   sync.Once
	server *lab.Server
	ends   []func()
}

func (c *common) Helper()                           {}
func (c *common) Context() context.Context          { return context.Background() }
func (c *common) Cleanup(f func())                  { c.ends = append(c.ends, f) }
func (c *common) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (c *common) Skipf(string, ...any)              {}

func (c *common) end() {
	for i := range c.ends {
		c.ends[len(c.ends)-1-i]()
	}
}

// server returns the shared server, emptied.
func sharedServer(t *testing.T) *lab.Server {
	t.Helper()
	lab.Need(t, "neo4j")
	shared.once.Do(func() { shared.server = lab.Neo4j(&shared, lab.Options{}) })
	empty(t, shared.server)
	return shared.server
}

func empty(t *testing.T, s *lab.Server) {
	t.Helper()
	for _, name := range column(t, s, "SHOW CONSTRAINTS YIELD name") {
		cypher(t, s, "DROP CONSTRAINT "+quote(name.(string)), nil)
	}
	for _, name := range column(t, s, "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name") {
		cypher(t, s, "DROP INDEX "+quote(name.(string)), nil)
	}
	for cypher(t, s, "MATCH (n) WITH n LIMIT 10000 DETACH DELETE n RETURN count(*)", nil)[0][0].(int64) > 0 {
	}
}

// cypher is a client other than the one under test.
func cypher(t *testing.T, s *lab.Server, statement string, params map[string]any) (rows [][]any) {
	t.Helper()
	d, err := driver.NewDriverWithContext("bolt://"+s.Addr(), driver.BasicAuth(s.User, s.Password, ""))
	must(t, err)
	defer func() { _ = d.Close(context.Background()) }()
	got, err := driver.ExecuteQuery(context.Background(), d, statement, params, driver.EagerResultTransformer)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	for _, r := range got.Records {
		rows = append(rows, r.Values)
	}
	return rows
}

func column(t *testing.T, s *lab.Server, statement string) (values []any) {
	t.Helper()
	for _, row := range cypher(t, s, statement, nil) {
		values = append(values, row[0])
	}
	return values
}

// declare opens the server as an upkeep.yaml would declare it.
func declare(t *testing.T, s *lab.Server, change ...func(*Config, *service.Env)) *Instance {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	cfg.URL, cfg.Password = "bolt://"+s.Addr(), secret.Parse(s.Password)
	env := servicetest.Env(t)
	for _, f := range change {
		f(cfg, &env)
	}
	must(t, cfg.Validate().Err())
	in, err := Kind.Open(env, cfg)
	must(t, err)
	t.Cleanup(func() { _ = in.Close() })
	return in.(*Instance)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// silent takes connections and never answers.
func silent(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String() // the kernel accepts for it
}

// slugs are the findings by severity and slug; each needs words.
func slugs(t *testing.T, v service.Verdict) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "neo4j", Text: text})
	must(t, err)
	got := map[string]service.Severity{}
	for _, f := range v.Findings {
		got[f.ID] = f.Severity
		args := service.Args{"target": "graph", "subject": f.Subject}
		for name, value := range f.Args {
			args[name] = value
		}
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("neo4j."+f.ID, args)
			if said := title + fix; fix == "" || title[0] == '!' || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}
