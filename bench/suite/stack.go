package suite

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"upkeep/bench/measure"
	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works on the example system, and the column of the script in its guide.
const (
	CheckStack  = "check of the example system, 15 targets"
	CheckFrozen = "the same with Redis frozen"
	OthersTold  = "the same with Redis frozen, verdicts of all others told by"
	DailyScript = "daily_check.sh"
)

// frozenLimit is the deadline of one target and what may be lost around it.
const frozenLimit = 5*time.Second + 200*time.Millisecond

//go:embed daily_check.sh
var dailyScript []byte // constant, as far as Go allows

// Stack measures the daily look at a whole system: five stores and what runs on them.
type Stack struct {
	Rows   int // in PostgreSQL, besides those that the application makes
	Rounds int
}

const stackTargets = 15

// fourMore makes 15 of the 11 targets that the example declares.
const fourMore = `  docs: {kind: endpoint, url: "http://%s/openapi.json", expect: {status: 200}}
  uvicorn: {kind: process, command: [python, -m, uvicorn]}
  celery: {kind: process, command: [python, -m, celery]}
  application: {kind: files, paths: [srv/app]}
`

// Run fills r. upkeep may be nil.
func (s Stack) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	c, end, err := startExample(ctx, s.Rows)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	script, err := newDaily(c)
	if err != nil {
		return err
	}
	halves := []func(context.Context, *Result) error{script.run}
	if u != nil {
		if err := s.adopt(ctx, c, u); err != nil {
			return err
		}
		halves = append(halves, func(ctx context.Context, r *Result) error {
			cost, err := u.Check(ctx)
			return r.cost(CheckStack, u.Name(), cost, err)
		})
	}
	for round := range s.Rounds {
		for _, half := range rotate(halves, round) {
			r.Fail(half(ctx, r))
		}
		if u != nil {
			r.Fail(s.frozen(ctx, c, u, r))
		}
	}
	s.notes(r)
	return ctx.Err()
}

func (s Stack) notes(r *Result) {
	r.Note("stack", fmt.Sprintf("the example system of examples/cot-studio as processes, seeded with %d rows; daily_check.sh is the check of its guide", s.Rows))
	r.Note("stack", "adapted in the script: docker-compose ps and docker stats are ps, exec is gone, cypher-shell (a Java program) is the application's own Bolt driver; "+
		"the guide's text, which starts more programs, took 6.7–8.4 s on the running system")
	r.Note("stack", "a target has 5 s to answer; after 2 s a check tells the verdicts that there are, and each further one as it comes")
	r.Note("stack", "the script asks PostgreSQL, Neo4j, Celery and two pages; upkeep also judges Redis, MinIO, RabbitMQ, queues, files, processes and assertions")
}

// startExample starts the example system, filled, in a place of its own. end ends it and
// removes it.
func startExample(ctx context.Context, rows int) (c *lab.CotStudio, end func() error, err error) {
	dir, err := openDir()
	if err != nil {
		return nil, nil, err
	}
	if c, err = lab.StartCotStudio(ctx, dir, false); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end = func() error { return errors.Join(c.Stop(), os.RemoveAll(dir)) }
	if _, err = c.Seed(ctx, rows); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return c, end, nil
}

// adopt declares the further targets and wants a verdict about each.
func (s Stack) adopt(ctx context.Context, c *lab.CotStudio, u *tool.Upkeep) error {
	backend, err := c.Part("backend")
	if err != nil {
		return err
	}
	file := filepath.Join(c.Dir, "upkeep.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the declaration of the example system: %w", err)
	}
	more := "services:\n" + fmt.Sprintf(fourMore, backend.Addr())
	if err := os.WriteFile(file, bytes.Replace(text, []byte("services:\n"), []byte(more), 1), 0o600); err != nil {
		return fmt.Errorf("extend the declaration of the example system: %w", err)
	}
	u.Adopt(c.Dir)
	judged, err := u.Judged(ctx)
	if err == nil && judged != stackTargets {
		err = fmt.Errorf("%s: it judged %d of %d", CheckStack, judged, stackTargets)
	}
	return err
}

// frozen stops all processes of Redis for one check: connections are taken and nothing
// answers.
func (s Stack) frozen(ctx context.Context, c *lab.CotStudio, u *tool.Upkeep, r *Result) error {
	redis, err := c.Part("redis")
	if err != nil {
		return err
	}
	if err := redis.Pause(); err != nil {
		return err
	}
	cost, early, err := u.CheckDespite(ctx)
	if err == nil && (early.Last != "cache" || early.Verdicts < stackTargets-1) {
		err = fmt.Errorf("it told %d verdicts and then that of %q; Redis was frozen", early.Verdicts, early.Last)
	}
	if err == nil {
		err = r.cost(OthersTold, u.Name(), measure.Cost{Wall: early.By}, nil)
	}
	return errors.Join(r.cost(CheckFrozen, u.Name(), cost, err), redis.Resume())
}

// daily is the guide's script, ready to run.
type daily struct{ cmd measure.Cmd }

func newDaily(c *lab.CotStudio) (*daily, error) {
	python, err := lab.CotPython()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.Dir, DailyScript)
	if err := os.WriteFile(file, dailyScript, 0o700); err != nil {
		return nil, fmt.Errorf("write the guide's script: %w", err)
	}
	env := []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + c.Dir, "PYTHON=" + python, "PYTHONDONTWRITEBYTECODE=1"}
	var pids []string
	for _, name := range []string{"postgres", "redis", "minio", "rabbitmq", "neo4j", "backend", "worker", "frontend"} {
		part, err := c.Part(name)
		if err != nil {
			return nil, err
		}
		pids = append(pids, strconv.Itoa(part.PID()))
		switch name {
		case "postgres":
			env = append(env, "POSTGRES_PORT="+strconv.Itoa(part.Port))
		case "backend", "frontend":
			env = append(env, strings.ToUpper(name)+"=http://"+part.Addr())
		}
	}
	env = append(env, "PIDS="+strings.Join(pids, ","))
	return &daily{measure.Cmd{Argv: []string{"/bin/bash", file}, Env: env, Dir: c.Dir}}, nil
}

// run fails when the script did not find everything well: it ends with 0 all the same,
// and a check that asks nothing is fast.
func (d *daily) run(ctx context.Context, r *Result) error {
	settle()
	cost, out, err := measure.Run(ctx, d.cmd)
	if err == nil && (bytes.Contains(out, []byte("异常")) || !bytes.Contains(out, []byte("健康检查完成"))) {
		err = fmt.Errorf("it does not find everything well:\n%s", out)
	}
	return r.cost(CheckStack, DailyScript, cost, err)
}
