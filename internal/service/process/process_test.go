package process

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// TestMain lets the test binary be the programs that are watched.
func TestMain(m *testing.M) {
	if role := os.Getenv("UPKEEP_TEST_ROLE"); role != "" {
		os.Unsetenv("UPKEEP_TEST_ROLE")
		play(role)
		return
	}
	os.Exit(m.Run())
}

// play is a child: it says when it is ready and ends when its input does.
func play(role string) {
	switch role {
	case "burn":
		go func() {
			for n := 0; ; n++ {
				runtime.KeepAlive(n)
			}
		}()
	case "parent of one that burns":
		start("burn", "worker")
	case "hold":
		defer runtime.KeepAlive(touched(64 << 20))
	case "grow":
		grow()
		return
	case "parent of one that holds":
		start("hold", "worker")
	case "look":
		look(os.Args[1], os.Args[2])
		return
	case "deaf":
		signal.Ignore(syscall.SIGTERM)
	case "supervisor":
		fmt.Println("ready")
		for {
			keep(os.Args[1])
		}
	case "client":
		defer runtime.KeepAlive(dial(os.Args[len(os.Args)-1]))
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// touched is memory of which every page is in use.
func touched(bytes int) []byte {
	memory := make([]byte, bytes)
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	return memory
}

// grow takes 16 MB more for each line, and says so.
func grow() {
	var all [][]byte
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		all = append(all, touched(16<<20))
		fmt.Print(".")
	}
	runtime.KeepAlive(all)
}

// keep starts a program and waits for its end.
func keep(name string) {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := &exec.Cmd{Path: exe, Args: []string{name}, Env: append(os.Environ(), "UPKEEP_TEST_ROLE=wait"), Stdin: os.Stdin,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	_ = cmd.Run() // that it was ended is what is wanted
}

// dial opens four connections that are never read.
func dial(address string) (open []net.Conn) {
	for range 4 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			panic(err)
		}
		open = append(open, c)
	}
	return open
}

func start(role string, argv ...string) {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := &exec.Cmd{Path: exe, Args: argv, Env: append(os.Environ(), "UPKEEP_TEST_ROLE="+role), Stdin: os.Stdin}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// child runs a program under the given command line until the test ends.
func child(t *testing.T, role string, argv ...string) *subject {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &subject{Cmd: &exec.Cmd{Path: exe, Args: argv, Env: append(os.Environ(), "UPKEEP_TEST_ROLE="+role)}}
	if c.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.end)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return c
}

type subject struct {
	*exec.Cmd
	in    io.Closer
	ended bool
}

func (c *subject) end() {
	if c.ended {
		return
	}
	c.ended = true
	c.in.Close()
	c.Process.Signal(syscall.SIGCONT)
	c.Process.Kill()
	c.Wait()
}

func (c *subject) pid() string { return strconv.Itoa(c.Process.Pid) }

// program returns a word that no other process on the machine has in its argv.
func program(t *testing.T) string {
	return "uk" + strings.NewReplacer("/", "", "_", "").Replace(t.Name()) + strconv.Itoa(os.Getpid())
}

func declare(t *testing.T, text string) Config {
	t.Helper()
	cfg := Kind.NewConfig().(*Config)
	if err := yaml.UnmarshalWithOptions([]byte(text), cfg, yaml.DisallowUnknownField()); err != nil {
		t.Fatal(err)
	}
	if err := Kind.Validate(cfg).Err(); err != nil {
		t.Fatal(err)
	}
	return *cfg
}

func watch(t *testing.T, env service.Env, declaration string) *Instance {
	t.Helper()
	in, err := open(env, declare(t, declaration))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// check returns slug → finding, and fails when one lacks words in a language.
func check(t *testing.T, in *Instance) (map[string]service.Finding, service.Facts) {
	t.Helper()
	v, err := in.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	words, err := catalogue.New(catalogue.Source{Prefix: "process", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]service.Finding{}
	for _, f := range v.Findings {
		got[f.ID] = f
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("process."+f.ID, f.Args)
			if said := title + fix; strings.ContainsAny(said, "?!") || fix == "" || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got, v.Facts
}

func TestWordsAreComplete(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "process", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	if err := words.Check(); err != nil {
		t.Error(err)
	}
}

func TestExampleWorks(t *testing.T) {
	var services map[string]struct {
		Kind   string `yaml:"kind"`
		Config `yaml:",inline"`
	}
	if err := yaml.Unmarshal(example, &services); err != nil {
		t.Fatal(err)
	}
	cfg := services["batch"].Config
	if services["batch"].Kind != "process" || cfg.Validate().Err() != nil || cfg.Progress.Std() != 10*time.Minute {
		t.Errorf("example reads as %+v", services)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	cfg := Config{Exe: "python", Expect: "dead", Count: Count{Min: 3, Max: 2}, CloseWait: -1}
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	if got := strings.Join(paths, " "); got != "exe expect count close_wait" {
		t.Errorf("problems at %q", got)
	}
	if got := (&Config{Expect: Alive}).Validate(); len(got) != 1 || got[0].Path != "command" {
		t.Errorf("nothing declared gives %v", got)
	}
}
