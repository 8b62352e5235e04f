package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/service"
)

// privateNode is a disposable RabbitMQ node in a directory of its own. It takes no
// AMQP connections.
type privateNode struct {
	program  string // rabbitmq-server
	mapper   string // epmd, Erlang's port mapper: RabbitMQ would start one that outlives it
	dir      string
	remove   func() error
	user     string
	password string
	owner    *syscall.Credential // nil = as upkeep itself

	http, distant, mapped int // ports
	running               []*child
}

// child is one process that ends with upkeep, in whatever way that ends.
type child struct {
	pid  int
	done chan struct{} // closed when it has ended
}

// nodeProgram is the newest program that a package installed. rabbitmq-server on PATH
// is a wrapper that starts the machine's own node whatever it is asked, so it is
// never run, not even for its version.
func nodeProgram() (string, error) {
	found, err := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	if err != nil || len(found) == 0 {
		return "", &service.Fault{ID: "rabbitmq.no-scratch-node",
			Err: fmt.Errorf("no rabbitmq-server is installed: %w", service.ErrNoScratch)}
	}
	return found[len(found)-1], nil
}

func (n *privateNode) management() string { return "http://127.0.0.1:" + strconv.Itoa(n.http) }
func (n *privateNode) file(name string) string {
	return filepath.Join(n.dir, name)
}

// prepare fills the directory and hands it over to the user of the node. Passwords go
// into a file: argv and environment are readable for others.
func (n *privateNode) prepare(ctx context.Context) error {
	for _, port := range []*int{&n.http, &n.distant, &n.mapped} {
		free, err := freePort(ctx)
		if err != nil {
			return err
		}
		*port = free
	}
	conf := strings.Join([]string{
		"listeners.tcp = none", "management.tcp.ip = 127.0.0.1", "management.tcp.port = " + strconv.Itoa(n.http),
		"default_user = " + n.user, "default_pass = " + n.password, "disk_free_limit.absolute = 1MB", "",
	}, "\n")
	for name, text := range map[string]string{"rabbitmq.conf": conf, "enabled_plugins": "[rabbitmq_management].\n"} {
		if err := os.WriteFile(n.file(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("configure the scratch node: %w", err)
		}
		if err := n.own(n.file(name)); err != nil {
			return err
		}
	}
	return n.own(n.dir)
}

func (n *privateNode) own(path string) error {
	if n.owner == nil {
		return nil
	}
	if err := os.Chown(path, int(n.owner.Uid), int(n.owner.Gid)); err != nil {
		return fmt.Errorf("hand %s over to the scratch node: %w", path, err)
	}
	return nil
}

// environment is all that the node knows. RUNNING_UNDER_SYSTEMD makes the script
// become the node instead of staying above it.
func (n *privateNode) environment() []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"RUNNING_UNDER_SYSTEMD=1", "HOME=" + n.dir, "RABBITMQ_BASE=" + n.dir,
		"RABBITMQ_NODENAME=upkeep" + strconv.Itoa(n.http) + "@localhost",
		"RABBITMQ_MNESIA_DIR=" + n.file("mnesia"), "RABBITMQ_LOGS=-", "RABBITMQ_PID_FILE=" + n.file("pid"),
		"RABBITMQ_CONFIG_FILE=" + n.file("rabbitmq.conf"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + n.file("enabled_plugins"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_DIST_PORT=" + strconv.Itoa(n.distant),
		"ERL_EPMD_PORT=" + strconv.Itoa(n.mapped), "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
	}
}

func (n *privateNode) start() error {
	for _, argv := range [][]string{
		{n.mapper, "-port", strconv.Itoa(n.mapped), "-address", "127.0.0.1"},
		{n.program},
	} {
		c, err := n.launch(argv)
		if err != nil {
			return fmt.Errorf("start the scratch node: %w", err)
		}
		n.running = append(n.running, c)
	}
	return nil
}

func (n *privateNode) launch(argv []string) (*child, error) {
	out, err := os.OpenFile(n.file("log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // a node lives longer than the context of its start
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = n.dir, n.environment(), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: n.owner, Setpgid: true}
	c := &child{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The signal of the parent's death comes when this thread ends.
		runtime.LockOSThread()
		defer close(c.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log says why it ended
		}
	}()
	if err := errors.Join(<-started, out.Close()); err != nil {
		return nil, err
	}
	c.pid = cmd.Process.Pid
	return c, nil
}

// stop kills the groups of both: there is nothing to lose, and the node has helpers.
func (n *privateNode) stop() error {
	var errs []error
	for _, c := range n.running {
		if err := syscall.Kill(-c.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("end the scratch node: %w", err))
			continue
		}
		<-c.done
	}
	n.running = nil
	return errors.Join(errs...)
}

// await polls until the node answers: ten to thirty seconds on a busy machine.
func (n *privateNode) await(ctx context.Context, answers func(context.Context) error) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	node := n.running[len(n.running)-1]
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-node.done:
			return fmt.Errorf("the scratch node ended: %s: %w", n.lastWord(), service.ErrNoScratch)
		case <-ctx.Done():
			return fmt.Errorf("wait for the scratch node: %w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// lastWord is the end of the log.
func (n *privateNode) lastWord() string {
	text, err := os.ReadFile(n.file("log"))
	if err != nil {
		return err.Error()
	}
	const enough = 500
	said := strings.TrimSpace(string(text))
	return said[max(0, len(said)-enough):]
}

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
