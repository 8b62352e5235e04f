package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep/bench/measure"
)

// Upkeep is driven by its command line, as a user does it. Services are the lines
// below services: in its upkeep.yaml; without any it copies the tree as "tree".
type Upkeep struct {
	program
	Services []string
}

// NewUpkeep drives the binary at bin.
func NewUpkeep(bin string) *Upkeep { return &Upkeep{program: program{name: "upkeep", bin: bin}} }

// Version implements Tool.
func (u *Upkeep) Version(ctx context.Context) (string, error) { return u.version(ctx, "version") }

// Init implements Tool: it writes the declaration and the password. The repository
// itself is made by the first backup, and that is part of its time.
func (u *Upkeep) Init(_ context.Context, work, tree string) error {
	if err := u.init(work, tree, "NO_COLOR=1"); err != nil {
		return err
	}
	services := u.Services
	if len(services) == 0 {
		services = []string{fmt.Sprintf("tree: {kind: files, paths: [%q]}", tree)}
	}
	text := fmt.Sprintf("system: bench\nservices:\n  %s\nrepository: {path: %q, password: file:password}\nstate: %q\n",
		strings.Join(services, "\n  "), u.Repository(), filepath.Join(work, "state"))
	return errors.Join(
		os.WriteFile(filepath.Join(work, "upkeep.yaml"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(work, "password"), []byte(password+"\n"), 0o600))
}

// verb runs one verb on the declaration.
func (u *Upkeep) verb(ctx context.Context, ok []int, args ...string) (measure.Cost, error) {
	argv := append([]string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml")}, args...)
	cost, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work, OK: ok})
	return cost, err
}

// Check judges all services; that it finds something (exit code 1) is no failure.
func (u *Upkeep) Check(ctx context.Context) (measure.Cost, error) {
	return u.verb(ctx, []int{1}, "check", "--quiet")
}

// Judged returns how many targets a check could tell something about: one that it
// skipped or could not reach costs no time.
func (u *Upkeep) Judged(ctx context.Context) (int, error) {
	argv := []string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml"), "check", "--json"}
	_, out, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work, OK: []int{1}})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Targets []struct{ Target, Verdict string }
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return 0, fmt.Errorf("read the answer of check: %w", err)
	}
	judged := 0
	for _, t := range answer.Targets {
		if t.Verdict != "unknown" && t.Target != "upkeep" { // upkeep also judges itself
			judged++
		}
	}
	return judged, nil
}

// Drill restores the newest copy into scratch servers and compares it.
func (u *Upkeep) Drill(ctx context.Context) (measure.Cost, error) {
	return u.verb(ctx, nil, "drill", "--quiet")
}

// Backup implements Tool.
func (u *Upkeep) Backup(ctx context.Context) (measure.Cost, error) {
	return u.verb(ctx, nil, "backup", "--quiet")
}

// Verify implements Tool.
func (u *Upkeep) Verify(ctx context.Context) (measure.Cost, error) {
	return u.verb(ctx, nil, "verify", "--quiet")
}

// Restore implements Tool.
func (u *Upkeep) Restore(ctx context.Context, dir string) (measure.Cost, error) {
	return u.verb(ctx, nil, "restore", "latest", "tree", "--to", dir, "--quiet")
}

// VersionCost measures the shortest command, which shows what every start costs.
func (u *Upkeep) VersionCost(ctx context.Context) (measure.Cost, error) {
	return u.run(ctx, "version")
}
