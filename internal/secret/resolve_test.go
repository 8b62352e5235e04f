package secret_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/internal/secret"
)

const composeYAML = `
x-common: &common
  SHARED: from-anchor
services:
  db:
    environment:
      <<: *common
      POSTGRES_PASSWORD: ${DB_PASSWORD}
      WITH_DEFAULT: ${MISSING:-fallback}
      PASSED:
      PORT: 5432
  my.cache:
    environment:
      - REDIS_PASSWORD=p=w${DB_PASSWORD}
      - PASSED
      - EMPTY=
      - "BROKEN=hidden${"
  bare: {image: x}
`

func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"db": "s3cret\n", "windows": "s3cret\r\n", "two": "a\nb\n", "empty": "\n",
		".env":               "DB_PASSWORD=from-dotenv\nQUOTED=\"a b#c\"\nREF=x${DB_PASSWORD}\nPASSED=passed # why\nexport E=e\n",
		"broken.env":         "GOOD=1\nhunter2 is no assignment\n",
		"docker-compose.yml": composeYAML,
		"broken.yml":         "services:\n  db: {environment: [PW=hunter2\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func resolver(t *testing.T) *secret.Resolver {
	env := map[string]string{"TOKEN": "from-env"}
	return &secret.Resolver{
		Base:   files(t),
		Getenv: func(name string) string { return env[name] },
		Run: func(_ context.Context, argv []string) ([]byte, error) {
			if argv[0] == "false" {
				return nil, errors.New("exit status 1")
			}
			return []byte(strings.Join(argv[1:], " ") + "\nuser: somebody\n"), nil
		},
	}
}

func TestResolvesEveryPlace(t *testing.T) {
	r := resolver(t)
	cases := []struct {
		ref  secret.Ref
		want string
	}{
		{secret.Parse("env:TOKEN"), "from-env"},
		{secret.Parse("file:db"), "s3cret"},
		{secret.Parse("file:" + filepath.Join(r.Base, "db")), "s3cret"},
		{secret.Parse("file:windows"), "s3cret"},
		{secret.Parse("file:two"), "a\nb"},
		{secret.Parse("dotenv:.env#DB_PASSWORD"), "from-dotenv"},
		{secret.Parse("dotenv:.env#QUOTED"), "a b#c"},
		{secret.Parse("dotenv:.env#REF"), "xfrom-dotenv"},
		{secret.Parse("dotenv:.env#PASSED"), "passed"},
		{secret.Parse("dotenv:.env#E"), "e"},
		{secret.Parse("compose:docker-compose.yml#db.POSTGRES_PASSWORD"), "from-dotenv"},
		{secret.Parse("compose:docker-compose.yml#db.WITH_DEFAULT"), "fallback"},
		{secret.Parse("compose:docker-compose.yml#db.PASSED"), "passed"},
		{secret.Parse("compose:docker-compose.yml#db.PORT"), "5432"},
		{secret.Parse("compose:docker-compose.yml#db.SHARED"), "from-anchor"},
		{secret.Parse("compose:docker-compose.yml#my.cache.REDIS_PASSWORD"), "p=wfrom-dotenv"},
		{secret.Parse("compose:docker-compose.yml#my.cache.PASSED"), "passed"},
		{secret.Ref{Scheme: secret.Command, Argv: []string{"print", "from", "command"}}, "from command"},
		{secret.Parse("hunter2"), "hunter2"},
	}
	for _, c := range cases {
		if got, err := r.Resolve(t.Context(), c.ref); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", c.ref, got, err, c.want)
		}
	}
}

func TestRefusesWhatIsNotThereAndNeverQuotesAFile(t *testing.T) {
	r := resolver(t)
	cases := []struct {
		ref  string
		want string
	}{
		{"env:NOT_SET", "read secret env:NOT_SET: nothing is stored there"},
		{"file:missing", "no such file"},
		{"file:empty", "nothing is stored there"},
		{"file:.", "is not a file"},
		{"file:", "not well formed"},
		{"dotenv:.env", "dotenv:FILE#KEY is wanted"},
		{"dotenv:.env#NONE", "nothing is stored there"},
		{"dotenv:broken.env#GOOD", "not a well-formed .env file"},
		{"compose:docker-compose.yml#db", "compose:FILE#SERVICE.VAR is wanted"},
		{"compose:docker-compose.yml#dbx.PW", `no service "dbx"`},
		{"compose:docker-compose.yml#bare.PW", "declares no such variable"},
		{"compose:docker-compose.yml#my.cache.EMPTY", "nothing is stored there"},
		{"compose:docker-compose.yml#my.cache.BROKEN", "cannot be filled in"},
		{"compose:broken.yml#db.PW", "not a well-formed compose file"},
		{"", "no secret is declared"},
	}
	for _, c := range cases {
		value, err := r.Resolve(t.Context(), secret.Parse(c.ref))
		if err == nil || value != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v; want an error with %q", c.ref, value, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: the error quotes a secret: %v", c.ref, err)
		}
	}
}

func TestCommandHasADeadlineAndItsErrorIsKept(t *testing.T) {
	r := resolver(t)
	if _, err := r.Resolve(t.Context(), secret.Ref{Scheme: secret.Command, Argv: []string{"false"}}); err == nil || !strings.Contains(err.Error(), "command:false: exit status 1") {
		t.Errorf("got %v", err)
	}
	r.Run = func(ctx context.Context, _ []string) ([]byte, error) {
		if limit, ok := ctx.Deadline(); !ok || time.Until(limit) > time.Minute {
			t.Errorf("deadline %v, %v: a program may hang for ever", limit, ok)
		}
		return []byte("x"), nil
	}
	if _, err := r.Resolve(t.Context(), secret.Ref{Scheme: secret.Command, Argv: []string{"x"}}); err != nil {
		t.Error(err)
	}
}

func TestRedactorReplacesWhatWasResolved(t *testing.T) {
	var redactor secret.Redactor
	r := resolver(t)
	r.Seen = redactor.Add
	for _, ref := range []string{"p/w d\"x", "p/w d\"x-longer", "abc"} {
		if _, err := r.Resolve(t.Context(), secret.Parse(ref)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	line := `plain p/w d"x, longer p/w d"x-longer, json "p/w d\"x", url p%2Fw+d%22x p%2Fw%20d%22x, short abc`
	if n, err := redactor.Writer(&out).Write([]byte(line)); n != len(line) || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	if want := `plain …, longer …, json "…", url … …, short abc`; out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}
