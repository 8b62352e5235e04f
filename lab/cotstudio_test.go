package lab_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"upkeep/lab"
)

// The whole example system is started once, detached, as a person does by lab
// cotstudio up: what starts it is gone when it is filled and ended.
func TestCotStudioOutlivesItsStartAndIsEnded(t *testing.T) {
	lab.Need(t, "postgres", "redis", "minio", "rabbitmq", "neo4j", "cot-studio")
	dir, err := os.MkdirTemp("", "cot-") // t.TempDir is too long for a socket below it
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if _, err := lab.CotStudioUp(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	c, err := lab.OpenCotStudio(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop() })

	keepsSecrets(t, c)
	made, err := c.Seed(t.Context(), 400)
	if err != nil {
		t.Fatal(err)
	}
	if made.Files != 12 || made.Entities != 12 || made.Rows != 400 {
		t.Errorf("seeded %+v", made)
	}
	isFilled(t, c)
	schemaIsThatOfTheModels(t, c)
	if _, err := c.Break(t.Context(), "everything"); err == nil || !strings.Contains(err.Error(), "stop-redis") {
		t.Errorf("an unknown fault: %v; want a list of those there are", err)
	}
	if _, err := lab.StartCotStudio(t.Context(), dir, false); err == nil {
		t.Error("a second system was started over the first")
	}
	if err := c.Down(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids(t, c) {
		if pid != 0 {
			t.Errorf("process %d is left", pid)
		}
	}
	if _, err := lab.OpenCotStudio(dir); err == nil {
		t.Error("the system is still known after Down")
	}
}

var cotParts = []string{"postgres", "redis", "minio", "rabbitmq", "neo4j", "backend", "worker", "frontend"}

func pids(t *testing.T, c *lab.CotStudio) (all []int) {
	t.Helper()
	for _, name := range cotParts {
		s, err := c.Part(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.PID())
	}
	return all
}

// keepsSecrets wants every file with secrets closed, and no secret of .env in the
// arguments of any part.
func keepsSecrets(t *testing.T, c *lab.CotStudio) {
	t.Helper()
	for _, name := range []string{".env", "secrets/repository", "docker-compose.yml", "upkeep.yaml", "cotstudio.json"} {
		info, err := os.Stat(filepath.Join(c.Dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
		}
	}
	secrets := secretsOf(t, filepath.Join(c.Dir, ".env"))
	for i, pid := range pids(t, c) {
		argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			t.Errorf("%s does not run: %v", cotParts[i], err)
		}
		for name, secret := range secrets {
			if strings.Contains(string(argv), secret) {
				t.Errorf("%s of .env is in the arguments of %s", name, cotParts[i])
			}
		}
	}
}

func secretsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	secrets := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), "="); strings.HasSuffix(key, "PASSWORD") || strings.HasSuffix(key, "SECRET_KEY") {
			secrets[key] = value
		}
	}
	if len(secrets) < 6 {
		t.Fatalf("%s holds %d secrets", path, len(secrets))
	}
	return secrets
}

// isFilled wants what the worker and the application made, not only what was sent.
func isFilled(t *testing.T, c *lab.CotStudio) {
	t.Helper()
	s, err := c.Part("postgres")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), s.DSN("cotdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for statement, want := range map[string]string{
		"select version_num from alembic_version":                                     "002_audit_and_tasks",
		"select count(*)::text from files where ocr_status = 'COMPLETED'":             "9",
		"select count(distinct file_id)::text from slices":                            "9",
		"select count(*)::text from cot_items":                                        "9",
		"select count(*)::text from kg_relations where neo4j_relation_id is not null": "9",
		"select count(*)::text from audit_logs where event_type = 'UPLOAD'":           "12",
		"select count(*)::text from users where length(hashed_password) = 64":         "3",
		"select (count(*) > 0)::text from files where file_path like '%（终稿）%'":        "true",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), statement).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", statement, got, err, want)
		}
	}
}

// schemaIsThatOfTheModels has Alembic compare the migrated database with the models,
// by the interpreter that runs the worker.
func schemaIsThatOfTheModels(t *testing.T, c *lab.CotStudio) {
	t.Helper()
	s, err := c.Part("worker")
	if err != nil {
		t.Fatal(err)
	}
	argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.PID()))
	if err != nil {
		t.Fatal(err)
	}
	python, _, _ := strings.Cut(string(argv), "\x00")
	check := exec.Command(python, "-m", "alembic", "-c", filepath.Join(c.Dir, "srv/app/alembic.ini"), "check")
	check.Env = []string{"COT_STUDIO_ENV_FILE=" + filepath.Join(c.Dir, ".env"), "PYTHONPATH=" + filepath.Join(c.Dir, "srv")}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("models and migrations differ: %v: %s", err, out)
	}
}
