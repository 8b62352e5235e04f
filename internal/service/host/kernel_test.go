package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// kernel is a process file system that a test writes.
type kernel string

// newKernel is a calm machine with two cores, half its memory and swap in use.
func newKernel(t *testing.T) kernel {
	t.Helper()
	k := kernel(t.TempDir())
	k.write(t, "meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 500 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n")
	k.write(t, "loadavg", "0.10 0.20 0.30 1/100 4242\n")
	k.write(t, "stat", "cpu 1 0 1 8 0 0 0 0 0 0\ncpu0 1 0 1 8 0 0 0 0 0 0\ncpu1 1 0 1 8 0 0 0 0 0 0\nbtime 1700000000\n")
	k.write(t, "vmstat", "pgfault 12\noom_kill 3\noom_kill_x 9\n")
	k.write(t, "self/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
	k.boot(t, "first")
	for _, name := range []string{"cpu", "memory", "io"} {
		k.pressure(t, name, "0.00", "0.00")
	}
	return k
}

func (k kernel) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(string(k), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (k kernel) boot(t *testing.T, id string) { k.write(t, "sys/kernel/random/boot_id", id+"\n") }

func (k kernel) pressure(t *testing.T, name, some, full string) {
	k.write(t, "pressure/"+name, "some avg10=99.00 avg60="+some+" avg300=99.00 total=1\n"+
		"full avg10=99.00 avg60="+full+" avg300=99.00 total=1\n")
}

func (k kernel) instance(t *testing.T, declaration string) *Instance {
	t.Helper()
	in, err := openAt(servicetest.Env(t), declare(t, declaration), string(k))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// withoutSpace drops what this machine's real disks give.
func withoutSpace(got map[string]service.Severity) map[string]service.Severity {
	for name := range got {
		if strings.Contains(name, "nearly-full") {
			delete(got, name)
		}
	}
	return got
}

func TestKernelNumbersAreJudged(t *testing.T) {
	cases := []struct {
		name   string
		change func(k kernel)
		want   map[string]service.Severity
	}{
		{"a calm machine has no findings", func(kernel) {}, nil},
		{"little memory available", func(k kernel) {
			k.write(t, "meminfo", "MemTotal: 1000 kB\nMemFree: 900 kB\nMemAvailable: 80 kB\n")
		}, map[string]service.Severity{"memory-low": service.Warning}},
		{"no memory available", func(k kernel) {
			k.write(t, "meminfo", "MemTotal: 1000 kB\nMemFree: 0 kB\nMemAvailable: 10 kB\nSwapTotal: 100 kB\nSwapFree: 1 kB\n")
		}, map[string]service.Severity{"memory-low": service.Critical, "swap-high": service.Warning}},
		{"memory pressure counts when everything waits", func(k kernel) {
			k.pressure(t, "memory", "80.00", "31.50")
		}, map[string]service.Severity{"memory-pressure": service.Critical}},
		{"some waiting for memory or disks is no finding", func(k kernel) {
			k.pressure(t, "memory", "80.00", "1.00")
			k.pressure(t, "io", "80.00", "1.00")
		}, nil},
		{"io pressure is only a warning", func(k kernel) {
			k.pressure(t, "io", "100.00", "100.00")
		}, map[string]service.Severity{"io-pressure": service.Warning}},
		{"cpu pressure counts when some work waits", func(k kernel) {
			k.pressure(t, "cpu", "81.00", "0.00")
		}, map[string]service.Severity{"cpu-pressure": service.Warning}},
		{"a peak of load is no finding", func(k kernel) {
			k.write(t, "loadavg", "40.00 20.00 1.00 1/100 4242\n")
		}, nil},
		{"load that fell again is no finding", func(k kernel) {
			k.write(t, "loadavg", "0.50 20.00 30.00 1/100 4242\n")
		}, nil},
		{"sustained load", func(k kernel) {
			k.write(t, "loadavg", "4.10 4.00 9.00 1/100 4242\n")
		}, map[string]service.Severity{"load-high": service.Warning}},
		{"ext4 stopped writing after an error", func(k kernel) {
			k.write(t, "self/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro\n")
		}, map[string]service.Severity{"read-only /": service.Critical}},
		{"newer kernels say it in another word", func(k kernel) {
			k.write(t, "self/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw,emergency_ro\n")
		}, map[string]service.Severity{"read-only /": service.Critical}},
		{"what a unit may not write to is not read-only", func(k kernel) {
			k.write(t, "self/mountinfo", "1 0 8:1 / / ro,relatime - ext4 /dev/sda1 rw\n")
			k.write(t, "1/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
		}, nil},
		{"a machine's disk that stopped writing, seen from a unit", func(k kernel) {
			k.write(t, "self/mountinfo", "1 0 8:1 / / ro,relatime - ext4 /dev/sda1 ro\n")
			k.write(t, "1/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 ro\n")
		}, map[string]service.Severity{"read-only /": service.Critical}},
		{"another root is another machine", func(k kernel) {
			k.write(t, "1/mountinfo", "1 0 9:1 / / rw,relatime - ext4 /dev/sdb1 ro\n")
		}, nil},
		{"read-only on purpose is no finding", func(k kernel) {
			k.write(t, "self/mountinfo", "1 0 8:1 / / ro,relatime - ext4 /dev/sda1 ro\n")
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := newKernel(t)
			c.change(k)
			got, _ := check(t, k.instance(t, "{}"))
			if got = withoutSpace(got); len(got) != len(c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s is %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

func TestKillsAreCountedSinceTheLastRun(t *testing.T) {
	k := newKernel(t)
	in := k.instance(t, "{}")
	rounds := []struct {
		name, boot, vmstat string
		want               any // kills in the finding; nil: no finding
	}{
		{"the first run has nothing to compare with", "first", "oom_kill 3\n", nil},
		{"nothing new", "first", "oom_kill 3\n", nil},
		{"two more", "first", "oom_kill 5\n", int64(2)},
		{"told once", "first", "oom_kill 5\n", nil},
		{"a reboot starts at zero", "second", "oom_kill 0\n", nil},
		{"a kill right after a reboot", "third", "oom_kill 1\n", int64(1)},
		{"a counter that fell within a boot proves nothing", "third", "oom_kill 0\n", nil},
	}
	for _, r := range rounds {
		k.boot(t, r.boot)
		k.write(t, "vmstat", r.vmstat)
		_, v := check(t, in)
		var got any
		for _, f := range v.Findings {
			if f.ID == "oom-kills" {
				got = f.Args["kills"]
			}
		}
		if got != r.want {
			t.Errorf("%s: %v kills, want %v", r.name, got, r.want)
		}
	}
}

func TestKernelWithoutACounterOrPressureIsAFact(t *testing.T) {
	k := newKernel(t)
	k.write(t, "vmstat", "pgfault 12\n")
	if err := os.RemoveAll(filepath.Join(string(k), "pressure")); err != nil {
		t.Fatal(err)
	}
	got, v := check(t, k.instance(t, "{}"))
	if len(withoutSpace(got)) > 0 {
		t.Errorf("found %v", got)
	}
	if v.Facts["pressure"] != "not offered by this kernel" || v.Facts["oom_kills"] != "not counted by this kernel" {
		t.Errorf("facts are %v", v.Facts)
	}
}

func TestRemountReadOnlyIsFoundUntilTheNextBoot(t *testing.T) {
	k := newKernel(t)
	in := k.instance(t, "{}")
	check(t, in)
	k.write(t, "self/mountinfo", "1 0 8:1 / / ro,relatime - ext4 /dev/sda1 ro\n")
	for range 2 {
		if got, _ := check(t, in); got["read-only /"] != service.Critical {
			t.Errorf("found %v", got)
		}
	}
	k.boot(t, "second")
	if got, _ := check(t, in); got["read-only /"] != "" {
		t.Errorf("found %v although it was started like this", got)
	}
}

func TestWhatCannotBeReadDoesNotHideTheRest(t *testing.T) {
	k := newKernel(t)
	k.write(t, "meminfo", "MemTotal: 1000 kB\n")
	k.pressure(t, "cpu", "99.00", "0.00")
	v, err := k.instance(t, "{}").Check(t.Context())
	if !errors.Is(err, service.ErrUnsupported) {
		t.Errorf("error is %v", err)
	}
	if got := found(t, v); got["cpu-pressure"] != service.Warning || got["memory-low"] != "" {
		t.Errorf("found %v", got)
	}
}

type brokenState struct{}

func (brokenState) Get(context.Context, string) (string, error) { return "", os.ErrPermission }
func (brokenState) Set(context.Context, string, string) error   { return os.ErrPermission }

func TestUnreadableStateIsAnError(t *testing.T) {
	in := newKernel(t).instance(t, "{}")
	in.env.State = brokenState{}
	if _, err := in.Check(t.Context()); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error is %v", err)
	}
}

func TestLocalMountsAreTakenOnce(t *testing.T) {
	k := newKernel(t)
	k.write(t, "self/mountinfo", strings.Join([]string{
		`1 0 0:30 / / rw,relatime - overlay overlay rw`,
		`2 1 8:2 /docker/volumes /srv/bind rw - ext4 /dev/sda2 rw`,
		`3 1 8:2 / /mnt/a\040disk rw - ext4 /dev/sda2 rw`,
		`4 1 8:2 / /mnt/a\040disk/again rw - ext4 /dev/sda2 rw`,
		`5 1 0:40 / /tmp rw - tmpfs tmpfs rw`,
		`6 1 7:1 / /snap/core ro - squashfs /dev/loop1 ro`,
		`7 1 0:41 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw`,
		`8 1 0:42 / /nfs rw - nfs4 server:/export rw`,
		`9 1 8:3 / /mnt/archive ro - ext4 /dev/sda3 ro`,
		`10 1 0:50 /@a /pool/a rw - btrfs /dev/sdb rw`,
		`11 1 0:51 /@b /pool/b rw - btrfs /dev/sdb rw`,
		`12 1 0:60 / /tank rw - zfs tank rw`,
		`13 1 8:4 / /over rw - ext4 /dev/sda4 rw`,
		`14 1 0:61 / /over rw - tmpfs tmpfs rw`,
	}, "\n")+"\n")
	all, err := k.instance(t, "{}").mounts()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range local(all) {
		got = append(got, m.MountPoint)
	}
	if want := "/|/tank|/mnt/a disk|/pool/a"; strings.Join(got, "|") != want {
		t.Errorf("took %q, want %q", strings.Join(got, "|"), want)
	}
}
