package suite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works that answer a person who waits.
const (
	Version = "upkeep version"
	Check   = "upkeep check of 20 targets"
)

// Answers measures how long upkeep lets one wait.
type Answers struct {
	Scratch string
	Rounds  int
}

// Run fills r: 20 targets on one machine, all healthy, five servers' worth of work
// each for PostgreSQL, Redis, directories and HTTP addresses less one for the host.
func (a Answers) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	dir, err := openDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "watched"), 0o755); err != nil {
		return fmt.Errorf("make room for the targets: %w", err)
	}
	pg, err := lab.StartPostgres(ctx, dir, lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pg.Stop(), os.RemoveAll(dir)) }()
	rd, err := lab.StartRedis(ctx, dir, lab.Options{Password: "bench"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rd.Stop()) }()
	web, err := serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, web.Close()) }()
	u.Services = targets(pg, rd, web.Addr, filepath.Join(dir, "watched"))
	if err := u.Init(ctx, filepath.Join(dir, "upkeep"), ""); err != nil {
		return err
	}
	return a.measure(ctx, u, r)
}

func (a Answers) measure(ctx context.Context, u *tool.Upkeep, r *Result) error {
	judged, err := u.Judged(ctx)
	if err != nil {
		return err
	}
	if judged != 20 {
		return fmt.Errorf("%s: it judged %d of 20", Check, judged)
	}
	for range a.Rounds {
		cost, err := u.Check(ctx)
		r.Fail(r.cost(Check, u.Name(), cost, err))
		cost, err = u.VersionCost(ctx)
		r.Fail(r.cost(Version, u.Name(), cost, err))
	}
	return ctx.Err()
}

func targets(pg, rd *lab.Server, web, watched string) []string {
	services := []string{"host: {kind: host}"}
	for i := range 5 {
		services = append(services,
			fmt.Sprintf("db%d: {kind: postgres, url: %q, password: %q}", i, pg.URL("postgres"), "file:"+pg.PasswordFile),
			fmt.Sprintf("cache%d: {kind: redis, url: %q, password: %q}", i, rd.URL(fmt.Sprint(i)), "file:"+rd.PasswordFile),
			fmt.Sprintf("dir%d: {kind: files, paths: [%q]}", i, watched))
	}
	for i := range 4 {
		services = append(services, fmt.Sprintf("web%d: {kind: endpoint, url: %q}", i, "http://"+web+"/health"))
	}
	return services
}

// serve answers every request with 200.
func serve(ctx context.Context) (*http.Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port for the endpoint: %w", err)
	}
	s := &http.Server{Addr: l.Addr().String(), ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })}
	go func() { _ = s.Serve(l) }() // it ends with Close
	return s, nil
}
