package lab

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/config"
)

// neo4jStart bounds one start: ten seconds on a quiet machine of two cores, more than
// ninety with thirty processes waiting.
const neo4jStart = 4 * time.Minute

// Neo4j starts a Community server for the length of one test.
func Neo4j(t TB, o Options) *Server {
	t.Helper()
	Need(t, "neo4j")
	return startWithin(t, neo4jStart, o, StartNeo4j)
}

// Neo4jBin is the directory of the launcher that stands in for an installed
// server's bin/neo4j.
func Neo4jBin() (string, error) {
	places := []string{"/var/cache/upkeep-lab/neo4j"}
	if cache, err := os.UserCacheDir(); err == nil {
		places = append(places, filepath.Join(cache, "upkeep-lab", "neo4j"))
	}
	for _, place := range places {
		if _, err := os.Stat(filepath.Join(place, "bin", "neo4j")); err == nil {
			return filepath.Join(place, "bin"), nil
		}
	}
	return "", fmt.Errorf("Neo4j is not installed; lab/install fetches it")
}

// StartNeo4j starts a server under dir whose only login is neo4j with a password.
// Settings are lines of neo4j.conf.
func StartNeo4j(ctx context.Context, dir string, o Options) (*Server, error) {
	bin, err := Neo4jBin()
	if err != nil {
		return nil, err
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("find java: %w", err)
	}
	as, err := serverAccount("neo4j", "nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Component: "neo4j", Host: "127.0.0.1", User: "neo4j", Password: cmp.Or(o.Password, rand.Text()),
		Dir: filepath.Join(dir, "neo4j"), Data: filepath.Join(dir, "neo4j", "home"),
		ready: neo4jAnswers, stop: syscall.SIGTERM, account: as, detached: o.Detached, killed: true,
	}
	options := o.Java
	if options == nil {
		options = []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xms256m", "-Xmx512m"}
	}
	s.argv = func(port int) []string {
		return append(append([]string{java}, options...),
			"-cp", filepath.Join(bin, "..", "lib")+"/*", "org.neo4j.server.CommunityEntryPoint",
			"--home-dir="+s.Data, "--config-dir="+s.conf(),
			"-c", fmt.Sprintf("server.bolt.listen_address=%s:%d", s.Host, port),
			"-c", fmt.Sprintf("server.bolt.advertised_address=%s:%d", s.Host, port))
	}
	s.fresh = func(context.Context) error { return s.initNeo4j(o.Settings) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	return s, s.startOnFreePort(ctx)
}

func (s *Server) conf() string { return filepath.Join(s.Data, "conf") }

func (s *Server) initNeo4j(settings map[string]string) error {
	for _, path := range []string{s.Dir, s.Data, s.conf()} {
		if err := os.MkdirAll(path, 0o711); err != nil {
			return fmt.Errorf("make a directory of Neo4j: %w", err)
		}
		if err := s.account.own(path); err != nil {
			return fmt.Errorf("give %s to the server: %w", path, err)
		}
	}
	all := map[string]string{"server.http.enabled": "false", "server.https.enabled": "false",
		"server.memory.pagecache.size": "64m", "dbms.usage_report.enabled": "false"}
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", name, all[name])
	}
	if err := os.WriteFile(filepath.Join(s.conf(), "neo4j.conf"), []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("configure Neo4j: %w", err)
	}
	s.PasswordFile = filepath.Join(s.Dir, "password")
	return writeSecret(s.PasswordFile, s.Password)
}

// neo4jAnswers logs in; a new server has its first password, which it wants changed.
func neo4jAnswers(ctx context.Context, s *Server) error {
	driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, s.Password, ""), patientOnce)
	if err != nil {
		return err
	}
	_, err = neo4j.ExecuteQuery(ctx, driver, "RETURN 1", nil, neo4j.EagerResultTransformer)
	err = errors.Join(err, driver.Close(ctx))
	var no *neo4j.Neo4jError
	if errors.As(err, &no) && no.Code == "Neo.ClientError.Security.Unauthorized" {
		return s.setFirstPassword(ctx)
	}
	return err
}

func (s *Server) setFirstPassword(ctx context.Context) error {
	driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, "neo4j", ""), patientOnce)
	if err != nil {
		return err
	}
	_, err = neo4j.ExecuteQuery(ctx, driver, "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $new",
		map[string]any{"new": s.Password}, neo4j.EagerResultTransformer, neo4j.ExecuteQueryWithDatabase("system"))
	return errors.Join(err, driver.Close(ctx))
}

func patientOnce(c *config.Config) {
	c.MaxTransactionRetryTime = 0
	c.SocketConnectTimeout = time.Second
	c.ConnectionAcquisitionTimeout = 5 * time.Second
}

// Neo4jAdmin is the call of Neo4j's administration program on a server that does not
// run. It works as the server's user, who must be able to read what it writes.
func (s *Server) Neo4jAdmin(args ...string) ([]string, error) {
	bin, err := Neo4jBin()
	if err != nil {
		return nil, err
	}
	argv := []string{"/usr/bin/env", "NEO4J_HOME=" + s.Data, "NEO4J_CONF=" + s.conf(),
		"java", "-cp", filepath.Join(bin, "..", "lib") + "/*", "org.neo4j.cli.AdminTool"}
	if s.account != nil {
		argv = append([]string{"/usr/bin/setpriv", "--reuid", strconv.Itoa(s.account.uid), "--regid", strconv.Itoa(s.account.gid), "--clear-groups"}, argv...)
	}
	return append(argv, args...), nil
}
