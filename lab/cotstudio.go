package lab

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	cotstudio "upkeep/examples/cot-studio"
)

// CotStudio is the example system, examples/cot-studio, as plain processes: its stores,
// its backend, one worker and its front page. Dir holds the deployed files, .env and an
// upkeep.yaml that names the real ports; run upkeep there.
type CotStudio struct {
	Dir        string
	parts      map[string]*Server
	deployment *cotDeployment // nil for one that another program has started
}

// The stores, then what runs on them.
var cotStores = []string{"postgres", "redis", "minio", "rabbitmq", "neo4j"}

var cotPrograms = []string{"backend", "worker", "frontend"}

// cotStart bounds the start of everything, side by side: Neo4j and RabbitMQ take up to
// 30 s each on a busy machine, the backend and the worker 10 s after that.
const cotStart = 4 * time.Minute

// NewCotStudio starts the example system for the length of one test.
func NewCotStudio(t TB) *CotStudio {
	t.Helper()
	Need(t, "postgres", "redis", "minio", "rabbitmq", "neo4j", "cot-studio")
	ctx, cancel := context.WithTimeout(t.Context(), cotStart)
	defer cancel()
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	c, err := StartCotStudio(ctx, dir, false)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Fatalf("lab: %v", err)
		}
	})
	return c
}

// StartCotStudio starts the example system under dir, which must not hold one. When a
// part does not start, those that did are ended.
func StartCotStudio(ctx context.Context, dir string, detached bool) (*CotStudio, error) {
	python, err := CotPython()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("nobody")
	if err != nil {
		return nil, err
	}
	c := &CotStudio{Dir: dir, parts: map[string]*Server{}}
	if err := c.deploy(); err != nil {
		return nil, err
	}
	d := &cotDeployment{c, python, as, detached, rand.Text()}
	c.deployment = d
	for _, step := range []func(context.Context) error{d.startStores, d.configure, d.makeDatabase, d.migrate, d.startPrograms, d.declareWithoutStack} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, c.kill())
		}
	}
	return c, nil
}

// Part is one of postgres, redis, minio, rabbitmq, neo4j, backend, worker and frontend.
func (c *CotStudio) Part(name string) (*Server, error) {
	s, ok := c.parts[name]
	if !ok {
		return nil, fmt.Errorf("the example system has no part %q; it has: %s", name, strings.Join(append(cotStores, cotPrograms...), ", "))
	}
	return s, nil
}

// Stop ends the programs, then the stores, each lot side by side.
func (c *CotStudio) Stop() error {
	programs := sideBySide(append([]string{"leak"}, cotPrograms...), func(name string) error { return c.stop(name) })
	return errors.Join(programs, sideBySide(cotStores, func(name string) error { return c.stop(name) }))
}

func (c *CotStudio) stop(name string) error {
	if s := c.parts[name]; s != nil {
		return s.Stop()
	}
	return nil
}

func (c *CotStudio) kill() error {
	var errs []error
	for _, s := range c.parts {
		errs = append(errs, s.Kill())
	}
	return errors.Join(errs...)
}

func (c *CotStudio) path(names ...string) string {
	return filepath.Join(append([]string{c.Dir}, names...)...)
}

// deploy writes the files of the system but its declaration, which names addresses.
func (c *CotStudio) deploy() error {
	if _, err := os.Stat(c.path("upkeep.yaml")); err == nil {
		return fmt.Errorf("there is an upkeep.yaml in %s already", c.Dir)
	}
	if err := os.MkdirAll(c.path("run"), 0o711); err != nil {
		return fmt.Errorf("make the directory of the example system: %w", err)
	}
	return fs.WalkDir(cotstudio.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "upkeep.yaml" {
			return err
		}
		return c.write(name)
	})
}

// cotDeployment is what the start of one system needs to know.
type cotDeployment struct {
	*CotStudio
	python   string
	account  *account
	detached bool
	password string // of the application's role
}

// startStores starts the five stores side by side.
func (d *cotDeployment) startStores(ctx context.Context) error {
	preload := map[string]string{"shared_preload_libraries": "pg_stat_statements"} // as in docker-compose.yml
	starts := map[string]starter{"postgres": StartPostgres, "redis": StartRedis, "minio": StartMinIO, "rabbitmq": StartRabbitMQ, "neo4j": StartNeo4j}
	options := map[string]Options{"postgres": {Settings: preload}, "redis": {Password: rand.Text()}}
	var guard sync.Mutex
	return sideBySide(cotStores, func(name string) error {
		o := options[name]
		o.Detached = d.detached
		s, err := starts[name](ctx, d.path("run"), o)
		if err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		guard.Lock()
		defer guard.Unlock()
		d.parts[name] = s
		return nil
	})
}

// makeDatabase does what the image of PostgreSQL does at its first start.
func (d *cotDeployment) makeDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, d.parts["postgres"].DSN("postgres"))
	if err != nil {
		return fmt.Errorf("make the example's database: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }() // its statements are done
	// The image makes POSTGRES_USER a superuser as well.
	for _, statement := range []string{"create role cotuser superuser login password '" + d.password + "'", "create database cotdb owner cotuser"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("make the example's database: %w", err)
		}
	}
	return nil
}

// configure writes .env for the application and for upkeep alike. The application's
// user reads it too, and nobody else.
func (d *cotDeployment) configure(context.Context) error {
	if err := os.MkdirAll(d.path("secrets"), 0o700); err != nil {
		return fmt.Errorf("make the directory of secrets: %w", err)
	}
	if err := writeSecret(d.path("secrets", "repository"), rand.Text()); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(d.path(".env"), []byte(d.environment()), 0o600), d.account.own(d.path(".env")))
}

func (d *cotDeployment) environment() string {
	pg, rd, mi, mq, n4 := d.parts["postgres"], d.parts["redis"], d.parts["minio"], d.parts["rabbitmq"], d.parts["neo4j"]
	lines := []string{
		"SECRET_KEY=" + rand.Text(),
		"POSTGRES_DB=cotdb", "POSTGRES_USER=cotuser", "POSTGRES_PASSWORD=" + d.password,
		"DATABASE_URL=postgresql://cotuser:" + d.password + "@" + pg.Addr() + "/cotdb",
		"REDIS_PASSWORD=" + rd.Password, "REDIS_URL=" + rd.DSN("0"),
		"NEO4J_URI=bolt://" + n4.Addr(), "NEO4J_USER=" + n4.User, "NEO4J_PASSWORD=" + n4.Password,
		"MINIO_ROOT_USER=" + mi.User, "MINIO_ROOT_PASSWORD=" + mi.Password, "MINIO_ENDPOINT=" + mi.Addr(),
		"MINIO_ACCESS_KEY=" + mi.User, "MINIO_SECRET_KEY=" + mi.Password, "MINIO_BUCKET=cot-studio",
		"RABBITMQ_USER=" + mq.User, "RABBITMQ_PASSWORD=" + mq.Password, "RABBITMQ_URL=" + mq.DSN("/"),
	}
	return strings.Join(lines, "\n") + "\n"
}

// migrate brings the schema to its newest state, as the service migrate does.
func (d *cotDeployment) migrate(ctx context.Context) error {
	argv := append(d.inApp(), "-m", "alembic", "-c", d.path("srv", "app", "alembic.ini"), "upgrade", "head")
	if err := runAs(ctx, d.account, d.path("srv"), argv...); err != nil {
		return fmt.Errorf("migrate the example's database: %w", err)
	}
	return nil
}

// inApp is how Python is called to find the application and its settings. The secrets
// stay in the file: arguments are readable for every user of the machine.
func (d *cotDeployment) inApp() []string {
	return []string{"/usr/bin/env", "COT_STUDIO_ENV_FILE=" + d.path(".env"), "PYTHONPATH=" + d.path("srv"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1", d.python}
}

// startPrograms starts what the application consists of, side by side.
func (d *cotDeployment) startPrograms(ctx context.Context) error {
	backend := d.program("backend", func(port int) []string {
		return append(d.inApp(), "-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", strconv.Itoa(port))
	})
	backend.ready = backendIsReady
	worker := d.program("worker", func(int) []string {
		return append(d.inApp(), "-m", "celery", "-A", "app.worker", "worker", "-n", "cot@lab", "-c", "2", "-l", "INFO", "-Q", "celery,ocr,llm,kg")
	})
	worker.ready = workerIsReady
	front := d.program("frontend", func(port int) []string {
		return []string{d.python, "-m", "http.server", "--bind", "127.0.0.1", "-d", d.path("frontend"), strconv.Itoa(port)}
	})
	front.ready = func(ctx context.Context, s *Server) error { return answers(ctx, "http://"+s.Addr()+"/", nil) }
	return sideBySide(cotPrograms, func(name string) error {
		s := d.parts[name]
		if err := os.MkdirAll(s.Dir, 0o755); err != nil {
			return fmt.Errorf("make the directory of %s: %w", name, err)
		}
		if name == "worker" {
			return s.Start(ctx) // it listens on no port
		}
		return s.startOnFreePort(ctx)
	})
}

func (d *cotDeployment) program(name string, argv func(port int) []string) *Server {
	s := &Server{Component: name, Host: "127.0.0.1", Dir: d.path("run", name), Data: d.path("run", name),
		argv: argv, stop: syscall.SIGTERM, account: d.account, detached: d.detached}
	d.parts[name] = s
	return s
}

// backendIsReady wants its database healthy; the worker may come later.
func backendIsReady(ctx context.Context, s *Server) error {
	var health struct{ Components struct{ Database string } }
	if err := answers(ctx, "http://"+s.Addr()+"/health", &health); err != nil {
		return err
	}
	if health.Components.Database != "healthy" {
		return fmt.Errorf("its database is %s", health.Components.Database)
	}
	return nil
}

// answers wants 200 and, where into is not nil, JSON.
func answers(ctx context.Context, url string, into any) (err error) {
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	if into == nil {
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// CotPython is the interpreter of the virtual environment that lab/install makes of
// the application's requirements.
func CotPython() (string, error) {
	places := []string{"/var/cache/upkeep-lab"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab"))
	}
	for _, place := range places {
		python := filepath.Join(place, "cot-studio", "bin", "python")
		if _, err := os.Stat(python); err == nil {
			return python, nil
		}
	}
	return "", errors.New("the example's application is not installed; lab/install installs it")
}

// sideBySide does one thing for every name at once and returns all that failed.
func sideBySide(names []string, do func(name string) error) error {
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { errs[i] = do(name) })
	}
	group.Wait()
	return errors.Join(errs...)
}
