package acceptance

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	goredis "github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
	"upkeep/lab/seed"
)

type labKey struct{}

// servers are the real servers and the web servers of one script.
type servers struct {
	byName  map[string]*running
	engines map[string]*lab.Engine
	sites   map[string]*site
	held    map[string][]*pgx.Conn
	cot     *lab.CotStudio
	test    interface {
		Errorf(format string, args ...any)
	}
	ending bool // the script has ended, what it started is stopped
}

type running struct {
	*lab.Server
	redis bool
}

func lookup(ts *testscript.TestScript, name string) *running {
	s, ok := ts.Value(labKey{}).(*servers).byName[name]
	if !ok {
		ts.Fatalf("no server %q was started", name)
	}
	return s
}

// scriptTB lets the lab stop what a script started when the script ends.
type scriptTB struct{ ts *testscript.TestScript }

func (t scriptTB) Helper()                          {}
func (t scriptTB) Context() context.Context         { return context.Background() }
func (t scriptTB) Skipf(format string, args ...any) { t.ts.Fatalf("missing: "+format, args...) }

func (t scriptTB) Cleanup(f func()) {
	t.ts.Defer(func() {
		t.ts.Value(labKey{}).(*servers).ending = true
		f()
	})
}

// Fatalf fails the script. Once it has ended, testscript would take a failure for a
// fault of its own and end every other script with it: what then goes wrong fails the
// test alone.
func (t scriptTB) Fatalf(format string, args ...any) {
	s := t.ts.Value(labKey{}).(*servers)
	if !s.ending {
		t.ts.Fatalf(format, args...)
	}
	s.test.Errorf(format, args...)
}

// start postgres|redis|minio|rabbitmq|neo4j NAME [KEY=VALUE…]: starts a server and sets
// NAME_HOST, NAME_PORT, NAME_USER, NAME_PASSWORD and NAME_PID, and for RabbitMQ
// NAME_MANAGEMENT; the password also lies in NAME.password. The keys password and
// major are the lab's, others are settings. start celery is in queues_test.go, start
// docker in docker_test.go.
func start(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: start postgres|redis|minio|rabbitmq|neo4j|celery|docker NAME [KEY=VALUE…]")
	}
	switch args[0] {
	case "docker":
		startEngine(ts, args[1], args[2:])
		return
	case "celery":
		startWorker(ts, args[1], args[2:])
		return
	case "contained":
		contained(ts, args[1])
		return
	}
	s := launch(ts, args[0], options(ts, args[2:]))
	ts.Value(labKey{}).(*servers).byName[args[1]] = s
	describe(ts, args[1], s)
}

func options(ts *testscript.TestScript, pairs []string) lab.Options {
	o := lab.Options{Settings: map[string]string{}}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "password":
			o.Password = value
		case "major":
			_, err := fmt.Sscan(value, &o.Major)
			ts.Check(err)
		default:
			o.Settings[key] = value
		}
	}
	return o
}

func launch(ts *testscript.TestScript, kind string, o lab.Options) *running {
	switch kind {
	case "postgres":
		return &running{Server: lab.Postgres(scriptTB{ts}, o)}
	case "redis":
		return &running{Server: lab.Redis(scriptTB{ts}, o), redis: true}
	case "minio":
		program, err := lab.MinIOProgram()
		ts.Check(err)
		ts.Setenv("MINIO_DIR", filepath.Dir(program)) // for tools: in an upkeep.yaml
		return &running{Server: lab.MinIO(scriptTB{ts}, o)}
	case "rabbitmq":
		return &running{Server: lab.RabbitMQ(scriptTB{ts}, o)}
	case "smtp":
		return &running{Server: lab.SMTP(scriptTB{ts}, o)}
	case "neo4j":
		bin, err := lab.Neo4jBin()
		ts.Check(err)
		ts.Setenv("PATH", bin+":"+ts.Getenv("PATH")) // where upkeep finds the program for a scratch server
		return &running{Server: lab.Neo4j(scriptTB{ts}, o)}
	}
	ts.Fatalf("there is no server %q", kind)
	return nil
}

func describe(ts *testscript.TestScript, name string, s *running) {
	for key, value := range map[string]string{"HOST": s.Host, "PORT": fmt.Sprint(s.Port), "USER": s.User,
		"PASSWORD": s.Password, "PID": fmt.Sprint(s.PID()), "MANAGEMENT": s.Management} {
		ts.Setenv(name+"_"+key, value)
	}
	if s.Component == "smtp" {
		describeMail(ts, name, s)
	}
	ts.Check(os.WriteFile(ts.MkAbs(name+".password"), []byte(s.Password+"\n"), 0o600))
}

// server kill|stop|start|pause|resume|renew NAME.
func control(ts *testscript.TestScript, _ bool, args []string) {
	if e, ok := ts.Value(labKey{}).(*servers).engines[args[1]]; ok {
		controlEngine(ts, args[0], e)
		return
	}
	s := lookup(ts, args[1])
	switch args[0] {
	case "kill":
		ts.Check(s.Kill())
	case "stop":
		ts.Check(s.Stop())
	case "start":
		ts.Check(s.Start(context.Background()))
	case "pause":
		ts.Check(s.Pause())
	case "resume":
		ts.Check(s.Resume())
	case "renew":
		ts.Check(s.Renew(context.Background()))
	default:
		ts.Fatalf("a server cannot %s", args[0])
	}
}

// sql NAME DATABASE STATEMENT: runs SQL and prints one row per line, columns
// divided by |.
func sqlCommand(ts *testscript.TestScript, neg bool, args []string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, lookup(ts, args[0]).DSN(args[1]))
	ts.Check(err)
	defer conn.Close(ctx)
	results, err := conn.PgConn().Exec(ctx, args[2]).ReadAll()
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", args[2], err)
	}
	for _, result := range results {
		for _, row := range result.Rows {
			fmt.Fprintln(ts.Stdout(), string(joined(row)))
		}
	}
}

// sessions NAME DATABASE COUNT [STATEMENT]: keeps so many sessions open, each after
// it ran STATEMENT, in place of those kept before.
func sessions(ts *testscript.TestScript, _ bool, args []string) {
	ctx, all := context.Background(), ts.Value(labKey{}).(*servers)
	for _, conn := range all.held[args[0]] {
		_ = conn.Close(ctx) // its server may be gone
	}
	all.held[args[0]] = nil
	var count int
	_, err := fmt.Sscan(args[2], &count)
	ts.Check(err)
	for range count {
		conn, err := pgx.Connect(ctx, lookup(ts, args[0]).DSN(args[1]))
		ts.Check(err)
		all.held[args[0]] = append(all.held[args[0]], conn)
		if len(args) > 3 {
			_, err = conn.Exec(ctx, args[3])
			ts.Check(err)
		}
	}
}

func joined(row [][]byte) []byte {
	var line []byte
	for i, column := range row {
		if i > 0 {
			line = append(line, '|')
		}
		line = append(line, column...)
	}
	return line
}

// redis NAME COMMAND ARG…: runs one command and prints its answer.
func redisCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := lookup(ts, args[0])
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr(), Password: s.Password})
	defer client.Close()
	words := make([]any, len(args)-1)
	for i, w := range args[1:] {
		words[i] = w
	}
	answer, err := client.Do(context.Background(), words...).Result()
	if (err != nil) != neg {
		ts.Fatalf("%v: %v", args[1:], err)
	}
	fmt.Fprintln(ts.Stdout(), answer)
}

// cypher NAME STATEMENT: runs one statement and prints one row per line, values
// divided by |.
func cypherCommand(ts *testscript.TestScript, neg bool, args []string) {
	ctx, s := context.Background(), lookup(ts, args[0])
	driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, s.Password, ""))
	ts.Check(err)
	defer driver.Close(ctx)
	got, err := neo4j.ExecuteQuery(ctx, driver, args[1], nil, neo4j.EagerResultTransformer)
	if (err != nil) != neg {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if err != nil {
		return
	}
	for _, record := range got.Records {
		row := make([]string, len(record.Values))
		for i, value := range record.Values {
			row[i] = fmt.Sprint(value)
		}
		fmt.Fprintln(ts.Stdout(), strings.Join(row, "|"))
	}
}

// seed POSTGRES REDIS DIR [ROWS]: fills new servers and a directory with
// believable data of the first example system.
func seedData(ts *testscript.TestScript, _ bool, args []string) {
	want := seed.Seed{Rows: 3000, Files: 40, Keys: 300, Random: 1}
	if len(args) > 3 {
		_, err := fmt.Sscan(args[3], &want.Rows)
		ts.Check(err)
	}
	cache := lookup(ts, args[1])
	filled, err := seed.Fill(context.Background(), seed.Places{Postgres: lookup(ts, args[0]).DSN("postgres"),
		Redis: cache.DSN("0"), Dir: ts.MkAbs(args[2])}, want)
	ts.Check(err)
	ts.Logf("seeded: %v", filled)
}
