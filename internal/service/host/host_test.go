package host

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	dto "github.com/prometheus/client_model/go"
	"github.com/shirou/gopsutil/v4/disk"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// declare reads a declaration as the loader does: defaults first.
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

func thisMachine(t *testing.T, text string) *Instance {
	t.Helper()
	in, err := open(servicetest.Env(t), declare(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// check returns the severity of every finding by slug and subject, and fails when
// one lacks words in a language.
func check(t *testing.T, in *Instance) (map[string]service.Severity, service.Verdict) {
	t.Helper()
	v, err := in.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found(t, v), v
}

func found(t *testing.T, v service.Verdict) map[string]service.Severity {
	t.Helper()
	words, err := catalogue.New(catalogue.Source{Prefix: "host", Text: text})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]service.Severity{}
	for _, f := range v.Findings {
		got[strings.TrimSpace(f.ID+" "+f.Subject)] = f.Severity
		for _, lang := range catalogue.Languages() {
			title, fix := words.Words(lang).Finding("host."+f.ID, f.Args)
			if said := title + fix; strings.ContainsAny(said, "?!") || fix == "" || strings.Contains(said, "{{") {
				t.Errorf("%s in %s says %q and %q", f.ID, lang, title, fix)
			}
		}
	}
	return got
}

func TestWordsAreComplete(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "host", Text: text})
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
	if cfg := services["host"].Config; services["host"].Kind != "host" || cfg.Validate().Err() != nil || len(cfg.Mounts) != 1 {
		t.Errorf("example reads as %+v", services)
	}
}

func TestDefaultsOutliveAPartialDeclaration(t *testing.T) {
	cfg := declare(t, "disk: {warning: 70%}")
	if cfg.Disk.Warning != 0.7 || cfg.Disk.Critical != 0.9 || cfg.Inodes.Warning != 0.8 {
		t.Errorf("read as %+v", cfg)
	}
}

func TestValidateReportsEveryProblem(t *testing.T) {
	cfg := Config{Mounts: []string{"/", "data"}, Swap: Limits{Warning: 0.9, Critical: 0.5}, Load: Load{Warning: -1}}
	var paths []string
	for _, p := range cfg.Validate() {
		paths = append(paths, p.Path)
	}
	if got := strings.Join(paths, " "); got != "mounts[1] swap load.warning" {
		t.Errorf("problems at %q", got)
	}
}

func TestThisMachineIsJudgedByItsLimits(t *testing.T) {
	quiet := "{disk: {warning: 0, critical: 0}, inodes: {warning: 0, critical: 0}, memory: {warning: 0, critical: 0}," +
		"swap: {warning: 0}, pressure: {cpu: {warning: 0}, memory: {warning: 0, critical: 0}, io: {warning: 0}}, load: {warning: 0}}"
	got, v := check(t, thisMachine(t, quiet))
	for name, severity := range got {
		if !strings.HasPrefix(name, "read-only") {
			t.Errorf("every limit is off, and still %s is %s", name, severity)
		}
	}
	for _, name := range []string{"mounts", "memory_available_bytes", "load15", "cores", "pressure", "oom_kills"} {
		if v.Facts[name] == nil {
			t.Errorf("no fact %s", name)
		}
	}

	low := "{mounts: [/], disk: {warning: 0.0001%}, inodes: {warning: 0.0001%, critical: 0.0002%}, memory: {critical: 0.01%, warning: 0.01%}}"
	got, _ = check(t, thisMachine(t, low))
	for name, want := range map[string]service.Severity{
		"disk-nearly-full /": service.Warning, "inodes-nearly-full /": service.Critical, "memory-low": service.Critical,
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q; found %v", name, got[name], want, got)
		}
	}
}

func TestFullDiskIsFound(t *testing.T) {
	dir := lab.SmallDisk(t, 1<<20)
	in := thisMachine(t, "mounts: ["+dir+"]")
	if got, _ := check(t, in); len(pick(got, dir)) > 0 {
		t.Errorf("an empty disk is found to be %v", got)
	}
	lab.FillDisk(t, dir)
	got, v := check(t, in)
	if got["disk-nearly-full "+dir] != service.Critical {
		t.Errorf("found %v on a full disk", got)
	}
	for _, f := range v.Findings {
		if f.Subject == dir && f.Args["free"] != int64(0) {
			t.Errorf("args are %v", f.Args)
		}
	}
}

// pick returns the findings about one subject.
func pick(got map[string]service.Severity, subject string) []string {
	var names []string
	for name := range got {
		if strings.HasSuffix(name, " "+subject) {
			names = append(names, name)
		}
	}
	return names
}

func TestDeclaredMountThatIsNone(t *testing.T) {
	plain := t.TempDir()
	missing := filepath.Join(plain, "gone")
	in := thisMachine(t, "mounts: ["+plain+", "+missing+"]")
	got, v := check(t, in)
	if got["not-a-mount "+plain] != service.Warning || got["mount-missing "+missing] != service.Critical {
		t.Errorf("found %v", got)
	}
	if mounts := v.Facts["mounts"].(map[string]any); len(mounts) != 1 {
		t.Errorf("the disk below was not judged: %v", mounts)
	}
}

func TestMountThatGoesAwayIsCritical(t *testing.T) {
	var dir string
	env := servicetest.Env(t)
	inspect := func() map[string]service.Severity {
		in, err := open(env, declare(t, "mounts: ["+dir+"]"))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := check(t, in)
		return got
	}
	t.Run("mounted", func(t *testing.T) {
		dir = lab.SmallDisk(t, 1<<20)
		if got := inspect(); len(pick(got, dir)) > 0 {
			t.Errorf("found %v", got)
		}
	})
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if got := inspect(); got["mount-lost "+dir] != service.Critical {
		t.Errorf("found %v after the mount went away", got)
	}
}

func TestLinkedMountIsFollowed(t *testing.T) {
	dir := lab.SmallDisk(t, 1<<20)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if got, _ := check(t, thisMachine(t, "mounts: ["+link+"]")); got["not-a-mount "+link] != "" {
		t.Errorf("found %v", got)
	}
}

func TestMountThatHangsIsUnknownAndAskedOnce(t *testing.T) {
	in := thisMachine(t, "mounts: [/]")
	hang, calls := make(chan struct{}), 0
	in.statfs = func(context.Context, string) (*disk.UsageStat, error) {
		calls++
		<-hang
		return &disk.UsageStat{}, nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var v service.Verdict
	if err := in.checkMounts(ctx, &v); err != nil {
		t.Fatal(err)
	}
	if err := in.checkMounts(t.Context(), &v); err != nil {
		t.Fatal(err)
	}
	if got := found(t, v); got["mount-no-answer /"] != service.Unknown || len(v.Findings) != 2 {
		t.Errorf("found %v", v.Findings)
	}
	close(hang)
	for in.claim("/") == false { // until the first call has come back
		time.Sleep(time.Millisecond)
	}
	if calls != 1 {
		t.Errorf("the mount was asked %d times", calls)
	}
}

func TestIdentityStaysAndHidesTheMachineID(t *testing.T) {
	in := thisMachine(t, "{}")
	in.machineID = filepath.Join(t.TempDir(), "machine-id")
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := in.Identity(t.Context()); err != nil || got != name {
		t.Errorf("without an ID: %q, %v", got, err)
	}
	if err := os.WriteFile(in.machineID, []byte("3d1219c7c4c5404aaa1f6d2a48adfda4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := in.Identity(t.Context())
	if err != nil || !strings.HasPrefix(first, name+"/") || strings.Contains(first, "3d1219c7") {
		t.Errorf("with an ID: %q, %v", first, err)
	}
	if again, _ := in.Identity(t.Context()); again != first {
		t.Errorf("changed to %q", again)
	}
}

func TestCollectUsesTheStockNames(t *testing.T) {
	in := thisMachine(t, "{}")
	for range 2 { // a second round must find everything prepared
		got := map[string]*dto.MetricFamily{}
		if err := in.Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f }); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{
			"node_cpu_seconds_total", "node_filesystem_avail_bytes", "node_load1", "node_memory_MemAvailable_bytes",
			"node_network_receive_bytes_total", "node_vmstat_oom_kill", "node_boot_time_seconds", "node_time_seconds",
		} {
			if got[name] == nil || len(got[name].GetMetric()) == 0 {
				t.Errorf("no %s", name)
			}
		}
	}
}

func TestCollectStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hang := make(chan struct{})
	defer close(hang)
	err := gather(ctx, stuck(hang), func(*dto.MetricFamily) { t.Error("emitted") })
	if err == nil {
		t.Error("no error")
	}
}

type stuck chan struct{}

func (s stuck) Gather() ([]*dto.MetricFamily, error) { <-s; return nil, nil }
