package postgres_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"upkeep/internal/secret"
	"upkeep/internal/service"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) { servicetest.Run(t, postgres.Kind, fixture) }

func fixture(t *testing.T) servicetest.Fixture {
	// The statistics of a server move by themselves; the rest must not.
	server := startServer(t, map[string]string{"shared_preload_libraries": "pg_stat_statements"})
	sql(t, server.DSN("postgres"), "CREATE EXTENSION pg_stat_statements", "CREATE DATABASE cot")
	sql(t, server.DSN("cot"),
		"CREATE TABLE users (id serial PRIMARY KEY, name text)",
		"INSERT INTO users (name) SELECT 'user ' || g FROM generate_series(1, 20000) g",
		"CREATE TABLE orders (id serial PRIMARY KEY, buyer int REFERENCES users)",
		"INSERT INTO orders (buyer) SELECT g FROM generate_series(1, 20) g",
		"SELECT lo_from_bytea(0, 'large')")
	socket := filepath.Join(server.Dir, ".s.PGSQL."+itoa(server.Port))
	url := "postgres:///cot?user=postgres&host=" + server.Dir + "&port=" + itoa(server.Port)
	return servicetest.Fixture{
		Config: &postgres.Config{URL: url, Password: secret.Ref{Scheme: secret.File, Place: server.PasswordFile}},
		Damage: func(t *testing.T, scratch service.Instance) {
			change(t, scratch, "cot", "UPDATE users SET name = 'somebody' WHERE id = 7")
		},
		Stop:    func(t *testing.T) { must(t, os.Rename(socket, socket+".away")) },
		Start:   func(t *testing.T) { must(t, os.Rename(socket+".away", socket)) },
		Hanging: &postgres.Config{URL: "postgres://u@" + hangingAddress(t) + "/db"},
		Only:    "cot.public.orders",
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hangingAddress takes calls and never answers: the kernel accepts for a listener
// that does not.
func hangingAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l.Addr().String()
}
