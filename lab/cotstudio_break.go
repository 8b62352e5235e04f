package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
)

//go:embed cotstudio/leak.py
var leakScript []byte

// unconsumed is how many tasks fill-queue sends to the queue that no worker consumes.
const unconsumed = 20

// breakages are the faults that Break knows, by name.
func (c *CotStudio) breakages() map[string]func(context.Context) (string, error) {
	stop := func(part string) func(context.Context) (string, error) {
		return func(context.Context) (string, error) { return part, c.stop(part) }
	}
	return map[string]func(context.Context) (string, error){
		"stop-worker": stop("worker"), "stop-redis": stop("redis"), "stop-minio": stop("minio"),
		"stop-rabbitmq": stop("rabbitmq"), "stop-neo4j": stop("neo4j"),
		"freeze-worker":    func(context.Context) (string, error) { return "worker", c.parts["worker"].Pause() },
		"hang-request":     func(context.Context) (string, error) { return "backend", c.parts["backend"].Pause() },
		"fill-queue":       c.fillQueue,
		"delete-object":    c.deleteObject,
		"delete-node":      c.deleteNode,
		"delete-row":       c.deleteRow,
		"leak-connections": c.leakConnections,
	}
}

// Break does one fault and returns what it hit: the key of an object, the id of a node,
// a queue or a part.
func (c *CotStudio) Break(ctx context.Context, what string) (string, error) {
	all := c.breakages()
	do, known := all[what]
	if !known {
		return "", fmt.Errorf("cannot break %q; there are: %s", what, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	hit, err := do(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return hit, nil
}

func (c *CotStudio) fillQueue(ctx context.Context) (string, error) {
	file, err := c.ask(ctx, "select id from files order by file_path limit 1")
	if err != nil {
		return "", err
	}
	api := cotAPI{base: "http://" + c.parts["backend"].Addr()}
	if err := api.login(ctx); err != nil {
		return "", err
	}
	for range unconsumed {
		if err := api.post(ctx, "/api/v1/files/"+file+"/process", nil, nil); err != nil {
			return "", err
		}
	}
	return "files", nil
}

// deleteObject leaves a row whose file is gone.
func (c *CotStudio) deleteObject(ctx context.Context) (string, error) {
	key, err := c.ask(ctx, "select file_path from files where ocr_status = 'COMPLETED' order by file_path limit 1")
	if err != nil {
		return "", err
	}
	s := c.parts["minio"]
	client, err := minio.New(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, s.Password, "")})
	if err != nil {
		return "", err
	}
	return key, client.RemoveObject(ctx, "cot-studio", key, minio.RemoveObjectOptions{})
}

// deleteNode leaves a row whose node is gone.
func (c *CotStudio) deleteNode(ctx context.Context) (id string, err error) {
	if id, err = c.ask(ctx, "select neo4j_node_id from kg_entities where neo4j_node_id is not null order by name limit 1"); err != nil {
		return "", err
	}
	s := c.parts["neo4j"]
	driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, s.Password, ""))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, driver.Close(ctx)) }()
	_, err = neo4j.ExecuteQuery(ctx, driver, "MATCH (e:Entity {id: $id}) DETACH DELETE e", map[string]any{"id": id}, neo4j.EagerResultTransformer)
	return id, err
}

// deleteRow leaves an object that no row claims.
func (c *CotStudio) deleteRow(ctx context.Context) (string, error) {
	return c.ask(ctx, `delete from files where id = (select id from files f where not exists (select from slices where file_id = f.id)
		order by file_path limit 1) returning file_path`)
}

// leakConnections starts a program that holds nearly all connections until it is ended.
func (c *CotStudio) leakConnections(ctx context.Context) (string, error) {
	python, err := CotPython()
	if err != nil {
		return "", err
	}
	as, err := serverAccount("nobody")
	if err != nil {
		return "", err
	}
	d := &cotDeployment{CotStudio: c, python: python, account: as, detached: c.parts["postgres"].detached}
	leak := d.program("leak", func(int) []string { return append(d.inApp(), d.path("run", "leak", "leak.py")) })
	leak.ready = func(_ context.Context, s *Server) error {
		if !strings.Contains(s.Log(), "leaked ") {
			return errors.New("it does not hold the connections yet")
		}
		return nil
	}
	if err := os.MkdirAll(leak.Dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(leak.Dir, "leak.py"), leakScript, 0o644); err != nil {
		return "", err
	}
	if err := leak.Start(ctx); err != nil || !d.detached {
		return "postgres", err
	}
	return "postgres", c.save()
}

// ask runs a statement in the application's database and returns its one value.
func (c *CotStudio) ask(ctx context.Context, statement string) (value string, err error) {
	conn, err := pgx.Connect(ctx, c.parts["postgres"].DSN("cotdb"))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if err := conn.QueryRow(ctx, statement).Scan(&value); err != nil {
		return "", fmt.Errorf("look for something to break: %w", err)
	}
	return value, nil
}
