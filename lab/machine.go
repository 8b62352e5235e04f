package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// VM is a machine of its own: Debian with systemd as its first process, PostgreSQL, and a clock that a
// test may set. It is emulated, some ten times slower than the machine below, and reaches no network.
type VM struct {
	*Server // Kill is a power cut, Start switches it on again; Port is that of its SSH
}

// bootPatience bounds a boot, which takes 15 s on a free machine and four times that beside other tests.
const bootPatience = 5 * time.Minute

// Machine boots one for the length of a test.
func Machine(t TB) VM {
	t.Helper()
	Need(t, "root", "machine")
	return VM{startWithin(t, bootPatience, Options{}, startMachine)}
}

// startMachine boots from a disk of its own, which outlives power cuts.
func startMachine(ctx context.Context, dir string, _ Options) (*Server, error) {
	s := &Server{Component: "machine", Host: "127.0.0.1", User: "root", Dir: filepath.Join(dir, "machine"), ready: machineAnswers, stop: syscall.SIGTERM, killed: true}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of a machine: %w", err)
	}
	s.Data = filepath.Join(s.Dir, "disk")
	if err := runAs(ctx, nil, s.Dir, "cp", "--sparse=always", filepath.Join(machineImage, "disk"), s.Data); err != nil {
		return nil, err
	}
	s.argv = s.emulator
	return s, s.startOnFreePort(ctx)
}

// machineImage is where lab/install puts what a machine boots.
const machineImage = "/var/cache/upkeep-lab/machine"

func (s *Server) emulator(port int) []string {
	return []string{"qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio",
		"-machine", "q35,accel=tcg", "-cpu", "max", "-m", "1024",
		"-kernel", filepath.Join(machineImage, "kernel"), "-initrd", filepath.Join(machineImage, "initrd"), "-append", "root=/dev/vda console=ttyS0 quiet",
		"-drive", "file=" + s.Data + ",format=raw,if=virtio",
		"-netdev", "user,id=wired,restrict=on,hostfwd=tcp:" + s.Host + ":" + strconv.Itoa(port) + "-:22",
		"-device", "virtio-net-pci,netdev=wired,romfile=", "-device", "virtio-rng-pci"}
}

// machineAnswers reports whether its first process has started what it should.
func machineAnswers(ctx context.Context, s *Server) error {
	_, err := VM{s}.Run(ctx, "systemctl is-system-running --wait")
	return err
}

// Run runs a script of bash there as root, until its first command that fails, and returns what it
// printed, without the white space around it.
func (m VM) Run(ctx context.Context, script string) (string, error) {
	return m.talk(ctx, script, "ssh", append(m.login("-p"), m.User+"@"+m.Host, "bash", "-euo", "pipefail", "-s")...)
}

// Put copies a file there.
func (m VM) Put(ctx context.Context, local, there string) error {
	_, err := m.talk(ctx, "", "scp", append(m.login("-P"), local, m.User+"@"+m.Host+":"+there)...)
	return err
}

// login are the options of both programs. The machine is reached on loopback alone, and its key is
// made with its image, so nobody is in between.
func (m VM) login(port string) []string {
	return []string{"-q", port, strconv.Itoa(m.Port), "-i", filepath.Join(machineImage, "key"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=5",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
}

func (m VM) talk(ctx context.Context, in, program string, args ...string) (string, error) {
	var said, complained bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &said, &complained
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s to the machine: %w: %s%s", program, err, complained.String(), said.String())
	}
	return strings.TrimSpace(said.String()), nil
}

func findMachine() error {
	_, err := exec.LookPath("qemu-system-x86_64")
	_, imageErr := os.Stat(filepath.Join(machineImage, "disk"))
	if err = errors.Join(err, imageErr); err != nil {
		return fmt.Errorf("%w; as root, lab/install --machine makes it in a minute", err)
	}
	return nil
}
