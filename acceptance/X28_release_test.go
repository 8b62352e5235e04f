package acceptance

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep/lab"
)

// release is the version of the program that all scripts run.
const release = "0.0.0-acceptance"

// TestX28_Release makes what ships of the program that the scripts run, installs and removes the
// package in a Debian of its own, and starts the image. What takes longer (everything built twice,
// the image's base included) is make release-check.
func TestX28_Release(t *testing.T) {
	lab.Need(t, "root", "docker", "mmdebstrap", "lintian", "systemd-analyze", "jq")
	base := imageBase(t)
	program, err := exec.LookPath("upkeep")
	if err != nil {
		t.Fatal(err)
	}
	dist := t.TempDir()
	ran(t, "..", []string{"PROGRAM=" + program, "BASE=" + base}, "packaging/release", release, dist)

	t.Run("sums", func(t *testing.T) { ran(t, dist, nil, "sha256sum", "--quiet", "-c", "SHA256SUMS") })
	t.Run("reproducible", func(t *testing.T) { reproducible(t, program, dist) })
	t.Run("base", func(t *testing.T) { rootsAlone(t, base) })
	t.Run("sbom", func(t *testing.T) { sbom(t, dist) })
	t.Run("package", func(t *testing.T) { installed(t, base, dist) })
	t.Run("unit", func(t *testing.T) { units(t) })
	t.Run("image", func(t *testing.T) { inContainer(t, dist) })
}

// imageBase is what lab/install --image has made.
func imageBase(t *testing.T) string {
	t.Helper()
	const base = "/var/cache/upkeep-lab/image/base.tar"
	if _, err := os.Stat(base); err != nil {
		t.Fatalf("%v: lab/install --image makes it in a minute", err)
	}
	return base
}

// reproducible builds the program again in a directory of another name, and packs again.
func reproducible(t *testing.T, program, dist string) {
	elsewhere := filepath.Join(t.TempDir(), "a", "longer", "path")
	must(t, os.MkdirAll(elsewhere, 0o755))
	source := filepath.Join(t.TempDir(), "source.tar")
	packing := exec.Command("tar", "--null", "-T", "-", "-cf", source)
	packing.Dir, packing.Stdin = "..", strings.NewReader(ran(t, "..", nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
	if out, err := packing.CombinedOutput(); err != nil {
		t.Fatalf("copy the source: %v: %s", err, out)
	}
	ran(t, elsewhere, nil, "tar", "-xf", source)
	commit := strings.TrimSpace(ran(t, "..", nil, "git", "rev-parse", "HEAD"))
	again := filepath.Join(t.TempDir(), "upkeep")
	ran(t, elsewhere, nil, "make", "--silent", "build", "VERSION="+release, "COMMIT="+commit, "BIN="+again)
	same(t, program, again)

	twice := t.TempDir()
	ran(t, "..", []string{"PROGRAM=" + again}, "packaging/release", release, twice, "program", "notice", "sbom", "package")
	for _, name := range []string{"upkeep_0.0.0~acceptance_amd64.deb", "upkeep-" + release + "-linux-amd64.cdx.json", "upkeep-" + release + "-linux-amd64.NOTICE"} {
		same(t, filepath.Join(dist, name), filepath.Join(twice, name))
	}
}

// rootsAlone wants every file of the base to be root's: that of another user is one which apt left
// behind, or not, by the rights of the directory in which the base was made.
func rootsAlone(t *testing.T, base string) {
	file, err := os.Open(base)
	must(t, err)
	defer file.Close()
	files := 0
	for packed := tar.NewReader(file); ; files++ {
		head, err := packed.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		if head.Uid != 0 {
			t.Errorf("%s belongs to user %d", head.Name, head.Uid)
		}
	}
	if files < 1000 {
		t.Errorf("the base has %d files", files)
	}
}

// same compares two files.
func same(t *testing.T, a, b string) {
	t.Helper()
	var sums [2][32]byte
	for i, path := range []string{a, b} {
		content, err := os.ReadFile(path)
		must(t, err)
		sums[i] = sha256.Sum256(content)
	}
	if sums[0] != sums[1] {
		t.Errorf("%s has sha256 %x, %s has %x", a, sums[0], b, sums[1])
	}
}

// sbom compares the list with what the go command reads from the program, and wants a licence for
// every module.
func sbom(t *testing.T, dist string) {
	program := filepath.Join(dist, "upkeep-"+release+"-linux-amd64")
	text, err := os.ReadFile(program + ".cdx.json")
	must(t, err)
	var bom struct {
		Components []struct {
			Name, Purl string
			Licenses   []any
		}
	}
	must(t, json.Unmarshal(text, &bom))
	notice, err := os.ReadFile(program + ".NOTICE")
	must(t, err)
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name] = true
		if strings.HasPrefix(c.Purl, "pkg:golang/") && len(c.Licenses) == 0 {
			t.Errorf("%s has no licence", c.Name)
		}
	}
	for line := range strings.Lines(ran(t, dist, nil, "go", "version", "-m", program)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && fields[0] == "dep" && !listed[fields[1]] {
			t.Errorf("%s is inside and not listed", fields[1])
		}
	}
	for _, name := range []string{"github.com/kopia/kopia", "github.com/duckdb/duckdb-go-bindings", "libc6-dev", "libstdc++-12-dev"} {
		if !listed[name] || !strings.Contains(string(notice), "\n"+name+" ") {
			t.Errorf("%s is not in both the SBOM (%v) and NOTICE", name, listed[name])
		}
	}
}

// installed puts the package into a Debian of its own, uses it as its user, upgrades, removes and
// purges it, and wants the copies and the declaration still there.
func installed(t *testing.T, base, dist string) {
	root := t.TempDir()
	must(t, os.Chmod(root, 0o755))
	ran(t, root, nil, "tar", "-xf", base)
	ran(t, root, nil, "mount", "-t", "proc", "proc", "proc")
	defer ran(t, root, nil, "umount", "proc")
	deb := filepath.Join(dist, "upkeep_0.0.0~acceptance_amd64.deb")
	holds := ran(t, dist, nil, "dpkg-deb", "--contents", deb)
	for _, path := range []string{"man/man1/upkeep-serve.1.gz", "man/zh_CN/man1/upkeep-serve.1.gz", "doc/upkeep/NOTICE.gz", "doc/upkeep/sbom.cdx.json.gz",
		"bash-completion/completions/upkeep", "systemd/system/upkeep.service"} {
		if !strings.Contains(holds, path+"\n") {
			t.Errorf("the package does not hold %s", path)
		}
	}
	ran(t, dist, nil, "lintian", "--allow-root", "--fail-on", "error,warning", deb)
	ran(t, root, nil, "cp", deb, "upkeep.deb")
	in := func(program ...string) string {
		return ran(t, root, nil, "chroot", append([]string{root}, program...)...)
	}
	as := func(program ...string) string {
		return ran(t, root, []string{"HOME=/var/lib/upkeep"}, "chroot", append([]string{"--userspec=upkeep:upkeep", root}, program...)...)
	}

	if said := in("dpkg", "-i", "/upkeep.deb"); !strings.Contains(said, "there is no /etc/upkeep/upkeep.yaml yet") {
		t.Errorf("the package says: %s", said)
	}
	if got := in("stat", "-c", "%U:%G %a", "/var/lib/upkeep", "/etc/upkeep"); got != "upkeep:upkeep 700\nroot:upkeep 750\n" {
		t.Errorf("the directories are %q", got)
	}
	must(t, os.MkdirAll(filepath.Join(root, "srv/data"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "srv/data/a"), []byte("content"), 0o644))
	declaration := "system: packaged\nservices:\n  data: {kind: files, paths: [/srv/data]}\n"
	must(t, os.WriteFile(filepath.Join(root, "etc/upkeep/upkeep.yaml"), []byte(declaration), 0o644))
	as("upkeep", "backup")
	points := func() string {
		var said struct{ Points []struct{ ID string } }
		must(t, json.Unmarshal([]byte(as("upkeep", "points", "--json")), &said))
		return fmt.Sprint(said.Points)
	}
	point := points()
	if said, err := exec.Command("chroot", root, "upkeep", "runs").CombinedOutput(); err == nil || !strings.Contains(string(said), "sudo -u upkeep") {
		t.Errorf("root on the state of upkeep: %v: %s", err, said)
	}

	in("dpkg", "-i", "/upkeep.deb") // again: as an upgrade, with the old version given
	if got := points(); got != point {
		t.Errorf("after an upgrade the points are %s", got)
	}
	in("dpkg", "-r", "upkeep")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/upkeep")); err == nil {
		t.Error("the program is still there")
	}
	if said := in("dpkg", "-P", "upkeep"); !strings.Contains(said, "/var/lib/upkeep stays") {
		t.Errorf("purging says: %s", said)
	}
	in("dpkg", "-i", "/upkeep.deb")
	if got := points(); got != point {
		t.Errorf("after purging and installing again the points are %s, were %s", got, point)
	}
	as("upkeep", "verify")
	if got, err := os.ReadFile(filepath.Join(root, "etc/upkeep/upkeep.yaml")); err != nil || string(got) != declaration {
		t.Errorf("the declaration is %q, %v", got, err)
	}
}

// units lets systemd judge the unit of a system that needs nothing, and of the examples, which need
// the engine's socket, files of others and their processes. The limits are what they reach, in tenths.
func units(t *testing.T) {
	plain := t.TempDir()
	must(t, os.WriteFile(filepath.Join(plain, "upkeep.yaml"), []byte("system: plain\nservices:\n  api: {kind: endpoint, url: \"http://127.0.0.1:1/\"}\n"), 0o644))
	for dir, limit := range map[string]int{plain: 18, "../examples/cot-studio": 23, "../examples/pilot-bench": 25} {
		out := t.TempDir()
		declared := t.TempDir()
		text, err := os.ReadFile(filepath.Join(dir, "upkeep.yaml"))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(declared, "upkeep.yaml"), text, 0o644))
		must(t, os.WriteFile(filepath.Join(declared, ".env"), nil, 0o600))
		ran(t, declared, nil, "upkeep", "export", "systemd", "--out", out)
		unit := filepath.Join(out, "etc/systemd/system/upkeep.service")
		ran(t, out, nil, "systemd-analyze", "verify", "--man=no", unit)
		ran(t, out, nil, "systemd-analyze", "security", "--no-pager", "--offline=yes", fmt.Sprintf("--threshold=%d", limit), unit)
	}
}

// inContainer loads the image, runs the program in it, and lets it serve until it is stopped.
func inContainer(t *testing.T, dist string) {
	e := lab.Docker(t)
	run := func(args ...string) string {
		t.Helper()
		out, err := e.Docker(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("load", "-i", filepath.Join(dist, "upkeep-"+release+"-image.tar"))
	image := "upkeep:" + release
	if got := run("run", "--rm", "--network", "none", image, "version", "--json"); !strings.Contains(got, `"version": "`+release+`"`) {
		t.Errorf("in the image: %s", got)
	}
	if got := run("run", "--rm", "--network", "none", "--entrypoint", "/usr/lib/postgresql/15/bin/pg_dump", image, "--version"); !strings.Contains(got, "15.") {
		t.Errorf("pg_dump of the image says %s", got)
	}
	declared := t.TempDir()
	must(t, os.Chmod(declared, 0o755))
	must(t, os.WriteFile(filepath.Join(declared, "upkeep.yaml"), []byte("system: contained\nservices:\n  conf: {kind: files, paths: [upkeep.yaml]}\n"), 0o644))
	served := run("run", "-d", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "-v", declared+":/etc/upkeep:ro", "-v", "state:/var/lib/upkeep", image)
	until := time.Now().Add(time.Minute)
	for !strings.Contains(run("exec", served, "upkeep", "runs"), "check") {
		if time.Now().After(until) {
			t.Fatalf("it checked nothing:\n%s", run("logs", served))
		}
		time.Sleep(200 * time.Millisecond)
	}
	run("stop", "-t", "15", served)
	if code := run("inspect", "-f", "{{.State.ExitCode}}", served); code != "0" {
		t.Errorf("it ended with %s:\n%s", code, run("logs", served))
	}
	sidecar(t, e)
}

// sidecar lets compose read the example beside the stack that it belongs to.
func sidecar(t *testing.T, e *lab.Engine) {
	program, err := lab.ComposeProgram()
	must(t, err)
	const dir = "../examples/cot-studio"
	env := []string{"UPKEEP_VERSION=" + release, "UPKEEP_UID=1000", "UPKEEP_GID=1000", "DOCKER_GID=999", "DOCKER_HOST=" + e.Host,
		"POSTGRES_PASSWORD=a", "NEO4J_PASSWORD=b", "REDIS_PASSWORD=c", "MINIO_ROOT_PASSWORD=d", "RABBITMQ_PASSWORD=e"}
	copied := t.TempDir()
	for _, name := range []string{"docker-compose.yml", "sidecar.yml"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(copied, name), text, 0o644))
	}
	must(t, os.WriteFile(filepath.Join(copied, ".env"), nil, 0o600))
	ran(t, copied, env, program, "-f", "docker-compose.yml", "-f", "sidecar.yml", "config", "--quiet")
}

// ran runs a program in a directory and returns what it printed.
func ran(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
