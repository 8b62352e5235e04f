package lab

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	cotstudio "upkeep/examples/cot-studio"
)

//go:embed cotstudio/compose.lab.yml
var labCompose []byte

// cotProject is how the lab's compose file lies beside the example's.
const cotProject = "compose.lab.yml"

// CotProject is the example system as a compose project on a private engine. Its parts
// are addresses: what happens to them, happens by the engine.
type CotProject struct {
	*CotStudio
	Engine *Engine
}

// NewCotProject brings the example system up for the length of one test.
func NewCotProject(t TB) *CotProject {
	t.Helper()
	Need(t, "postgres", "redis", "minio", "rabbitmq", "neo4j", "cot-studio")
	engine := Docker(t)
	ctx, cancel := context.WithTimeout(t.Context(), cotStart)
	defer cancel()
	dir, err := tempDir()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	t.Cleanup(func() { remove(t, dir) })
	c := &CotProject{CotStudio: &CotStudio{Dir: filepath.Join(dir, "cotstudio"), parts: map[string]*Server{}}, Engine: engine}
	if err := c.up(ctx); err != nil {
		t.Fatalf("lab: %v", err)
	}
	return c
}

func (c *CotProject) up(ctx context.Context) error {
	ports, err := c.connect(ctx)
	if err != nil {
		return err
	}
	if err := c.deploy(ports); err != nil {
		return err
	}
	if _, err := c.Compose(ctx, "up", "--detach", "--wait"); err != nil {
		logs, _ := c.Compose(ctx, "logs", "--tail", "20") // the error says at least which service it was
		return fmt.Errorf("%w\n%s", err, logs)
	}
	return nil
}

// Compose runs docker compose on the project.
func (c *CotProject) Compose(ctx context.Context, args ...string) (string, error) {
	return c.Engine.Compose(ctx, c.Dir, append([]string{"-f", "docker-compose.yml", "-f", cotProject}, args...)...)
}

// connect chooses addresses and passwords. The ports are those of this machine, by the
// variables of the lab's compose file.
func (c *CotProject) connect(ctx context.Context) (map[string]int, error) {
	ports := map[string]int{}
	for name, variable := range map[string]string{"postgres": "LAB_POSTGRES_PORT", "redis": "LAB_REDIS", "neo4j": "LAB_NEO4J", "minio": "LAB_MINIO",
		"rabbitmq": "LAB_AMQP", "management": "LAB_MANAGEMENT", "backend": "LAB_BACKEND", "frontend": "LAB_FRONTEND"} {
		port, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		ports[variable] = port
		c.parts[name] = &Server{Component: name, Host: "127.0.0.1", Port: port, Password: rand.Text()}
	}
	for name, user := range map[string]string{"postgres": "cotuser", "neo4j": "neo4j", "minio": "cotminio", "rabbitmq": "cot"} {
		c.parts[name].User = user
	}
	c.parts["rabbitmq"].Component = "amqp"
	c.parts["rabbitmq"].Management = "http://" + c.parts["management"].Addr()
	delete(c.parts, "management")
	return ports, nil
}

// deploy writes the example's files, both compose files, .env and the declaration.
func (c *CotProject) deploy(ports map[string]int) error {
	err := os.CopyFS(c.Dir, cotstudio.Files)
	variables, missing := c.variables(ports)
	if err := errors.Join(err, missing, os.MkdirAll(c.path("secrets"), 0o700)); err != nil {
		return fmt.Errorf("deploy the example system: %w", err)
	}
	stack := fmt.Sprintf("  stack: {kind: compose, files: [docker-compose.yml, %s], host: %q, services: {migrate: {expect: exited}}}\n", cotProject, c.Engine.Host)
	return errors.Join(
		os.WriteFile(c.path(cotProject), labCompose, 0o600), os.Chmod(c.path("docker-compose.yml"), 0o600),
		os.WriteFile(c.path(".env"), []byte(variables), 0o600),
		writeSecret(c.path("secrets", "repository"), rand.Text()),
		c.declare(stack, regexp.MustCompile(`^$`)))
}

// variables are those of .env.example, filled in, and where this machine's programs are.
func (c *CotProject) variables(ports map[string]int) (string, error) {
	java, javaMissing := JavaHome()
	neo4j, neo4jMissing := Neo4jBin()
	rabbit, rabbitMissing := rabbitProgram()
	if err := errors.Join(javaMissing, neo4jMissing, rabbitMissing); err != nil {
		return "", err
	}
	lines := []string{
		"SECRET_KEY=" + rand.Text(), "POSTGRES_DB=cotdb", "POSTGRES_USER=cotuser", "POSTGRES_PASSWORD=" + c.parts["postgres"].Password,
		"DATABASE_URL=postgresql://cotuser:${POSTGRES_PASSWORD}@postgres:5432/cotdb",
		"REDIS_PASSWORD=" + c.parts["redis"].Password, "REDIS_URL=redis://:${REDIS_PASSWORD}@redis:6379/0",
		"NEO4J_URI=bolt://neo4j:7687", "NEO4J_USER=neo4j", "NEO4J_PASSWORD=" + c.parts["neo4j"].Password,
		"MINIO_ROOT_USER=cotminio", "MINIO_ROOT_PASSWORD=" + c.parts["minio"].Password, "MINIO_ENDPOINT=minio:9000",
		"MINIO_ACCESS_KEY=${MINIO_ROOT_USER}", "MINIO_SECRET_KEY=${MINIO_ROOT_PASSWORD}", "MINIO_BUCKET=cot-studio",
		"RABBITMQ_USER=cot", "RABBITMQ_PASSWORD=" + c.parts["rabbitmq"].Password,
		"RABBITMQ_URL=amqp://${RABBITMQ_USER}:${RABBITMQ_PASSWORD}@rabbitmq:5672//",
		"LAB_JAVA=" + java, "LAB_CACHE=" + filepath.Dir(filepath.Dir(neo4j)), "LAB_RABBITMQ=" + rabbit, "LAB_POSTGRES=15",
	}
	for name, port := range ports {
		lines = append(lines, name+"="+strconv.Itoa(port))
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// JavaHome is the installation of the java on PATH.
func JavaHome() (string, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("find java: %w", err)
	}
	java, err = filepath.EvalSymlinks(java)
	return filepath.Dir(filepath.Dir(java)), err
}
