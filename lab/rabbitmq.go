package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"
)

// rabbitPlaces is where packages keep the program itself. The one on PATH is a
// wrapper that starts the machine's own node, whatever it is asked.
const rabbitPlaces = "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"

// RabbitMQ starts a private node with its management plugin for the length of one
// test. Options.Settings are lines of rabbitmq.conf.
func RabbitMQ(t TB, o Options) *Server {
	t.Helper()
	Need(t, "rabbitmq")
	return start(t, o, StartRabbitMQ)
}

// rabbitProgram is the newest one installed.
func rabbitProgram() (string, error) {
	found, err := filepath.Glob(rabbitPlaces)
	if err != nil || len(found) == 0 {
		return "", errors.New("rabbitmq-server is not installed; as root, lab/install installs it")
	}
	return found[len(found)-1], nil
}

// StartRabbitMQ starts a node under dir: nothing of it listens beyond this machine,
// and it shares neither cookie nor port mapper with another one.
func StartRabbitMQ(ctx context.Context, dir string, o Options) (*Server, error) {
	program, err := rabbitProgram()
	if err != nil {
		return nil, err
	}
	as, err := serverAccount("rabbitmq", "nobody")
	if err != nil {
		return nil, err
	}
	s := &Server{
		Component: "amqp", Host: "127.0.0.1", User: "lab", Password: o.Password,
		Dir: filepath.Join(dir, "rabbitmq"), Data: filepath.Join(dir, "rabbitmq", "mnesia"),
		ready: rabbitAnswers, stop: syscall.SIGTERM, account: as, detached: o.Detached, killed: true,
	}
	if s.Password == "" {
		s.Password = rand.Text()
	}
	node, err := s.newRabbitNode(ctx)
	if err != nil {
		return nil, err
	}
	s.fresh = func(context.Context) error { return s.initRabbit(node, o) }
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	s.argv = func(port int) []string { return node.argv(program, port) }
	s.control = func(port int, args []string) []string {
		return append(node.environment(port), append([]string{filepath.Join(filepath.Dir(program), "rabbitmqctl"), "-q"}, args...)...)
	}
	s.besides = []string{"epmd", "-port", strconv.Itoa(node.epmd), "-address", s.Host}
	return s, s.startOnFreePort(ctx)
}

// rabbitNode is what one node needs besides the port of its clients.
type rabbitNode struct {
	dir                       string
	management, distant, epmd int // ports
}

func (s *Server) newRabbitNode(ctx context.Context) (n rabbitNode, err error) {
	n.dir = s.Dir
	for _, port := range []*int{&n.management, &n.distant, &n.epmd} {
		if *port, err = freePort(ctx); err != nil {
			return n, err
		}
	}
	s.Management = "http://" + s.Host + ":" + strconv.Itoa(n.management)
	return n, nil
}

// initRabbit writes the password into a file: argv and environment are not for it.
func (s *Server) initRabbit(n rabbitNode, o Options) error {
	for _, path := range []string{s.Dir, s.Data} {
		if err := os.MkdirAll(path, 0o711); err != nil {
			return fmt.Errorf("make the directory of RabbitMQ: %w", err)
		}
	}
	s.PasswordFile = filepath.Join(s.Dir, "password")
	files := map[string]string{"rabbitmq.conf": s.rabbitConf(n, o), "enabled_plugins": "[rabbitmq_management].\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure RabbitMQ: %w", err)
		}
	}
	for _, path := range []string{s.Dir, s.Data, filepath.Join(s.Dir, "rabbitmq.conf"), filepath.Join(s.Dir, "enabled_plugins")} {
		if err := s.account.own(path); err != nil {
			return fmt.Errorf("give %s to the server: %w", path, err)
		}
	}
	return writeSecret(s.PasswordFile, s.Password)
}

func (s *Server) rabbitConf(n rabbitNode, o Options) string {
	all := map[string]string{
		"management.tcp.ip": s.Host, "management.tcp.port": strconv.Itoa(n.management),
		"default_user": s.User, "default_pass": s.Password,
		"vm_memory_high_watermark.absolute": "512MB", "disk_free_limit.absolute": "1MB",
		"collect_statistics_interval": "500", // milliseconds
	}
	// Statistics are taken over as often as the finest of them are kept, in seconds: with
	// the 5 s that are standard every test would wait for them.
	for _, policy := range []string{"basic", "detailed", "global"} {
		all["management.sample_retention_policies."+policy+".minute"] = "1"
	}
	maps.Copy(all, o.Settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s = %s\n", name, all[name])
	}
	return text.String()
}

// argv sets the environment by env, which becomes the server: it keeps its process
// ID. RUNNING_UNDER_SYSTEMD makes the script do the same; without it the script
// stays between us and the server.
//
// RabbitMQ would start a port mapper that outlives it; it finds the one that runs
// beside it and ends with it.
func (n rabbitNode) argv(program string, port int) []string {
	return append(n.environment(port), program)
}

func (n rabbitNode) environment(port int) []string {
	return []string{"/usr/bin/env",
		"RUNNING_UNDER_SYSTEMD=1", "HOME=" + n.dir, "RABBITMQ_BASE=" + n.dir,
		"RABBITMQ_NODENAME=lab" + strconv.Itoa(port) + "@localhost",
		"RABBITMQ_MNESIA_DIR=" + filepath.Join(n.dir, "mnesia"), "RABBITMQ_LOGS=-",
		"RABBITMQ_CONFIG_FILE=" + filepath.Join(n.dir, "rabbitmq.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + filepath.Join(n.dir, "enabled_plugins"),
		"RABBITMQ_PID_FILE=" + filepath.Join(n.dir, "mnesia", "pid"), "RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT=" + strconv.Itoa(port),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(n.distant),
		"ERL_EPMD_PORT=" + strconv.Itoa(n.epmd), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1"}
}

// Rabbitmqctl runs the node's own control program, which takes some seconds.
func (s *Server) Rabbitmqctl(ctx context.Context, args ...string) error {
	if s.control == nil {
		return fmt.Errorf("%s has no rabbitmqctl", s.Component)
	}
	return runAs(ctx, s.account, s.Dir, s.control(s.Port, args)...)
}

// rabbitAnswers wants both doors open: the management plugin comes last.
func rabbitAnswers(ctx context.Context, s *Server) (err error) {
	conn, err := amqp.Dial(s.DSN(""))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Management+"/api/overview", nil)
	if err != nil {
		return err
	}
	ask.SetBasicAuth(s.User, s.Password)
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the management API answers %s", answer.Status)
	}
	return nil
}
