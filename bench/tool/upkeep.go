package tool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep/bench/measure"
)

// Upkeep is driven by its command line, as a user does it. Services are the lines
// below services: in its upkeep.yaml; without any it copies the tree as "tree".
type Upkeep struct {
	program
	Services []string
	// Measure runs its verbs: measure.Run, or another place.
	Measure func(context.Context, measure.Cmd) (measure.Cost, []byte, error)
}

// NewUpkeep drives the binary at bin.
func NewUpkeep(bin string) *Upkeep {
	return &Upkeep{program: program{name: "upkeep", bin: bin}, Measure: measure.Run}
}

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

// Adopt takes the declaration that lies in dir already. Where its repository is, that
// declaration says.
func (u *Upkeep) Adopt(dir string) {
	u.work = dir
	u.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "NO_COLOR=1"}
}

// verb runs one verb on the declaration.
func (u *Upkeep) verb(ctx context.Context, ok []int, args ...string) (measure.Cost, error) {
	argv := append([]string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml")}, args...)
	cost, _, err := u.Measure(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work, OK: ok})
	return cost, err
}

// ask runs one verb and reads its JSON.
func (u *Upkeep) ask(ctx context.Context, ok []int, into any, args ...string) (measure.Cost, error) {
	argv := append([]string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml"), "--json"}, args...)
	cost, out, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work, OK: ok})
	if err != nil {
		return cost, err
	}
	if err := json.Unmarshal(out, into); err != nil {
		return cost, fmt.Errorf("read the answer of %s: %w", args[0], err)
	}
	return cost, nil
}

// Check judges all services; that it finds something (exit code 1) is no failure.
func (u *Upkeep) Check(ctx context.Context) (measure.Cost, error) {
	return u.verb(ctx, []int{1}, "check", "--quiet")
}

// Judged returns how many targets a check could tell something about: one that it
// skipped or could not reach costs no time.
func (u *Upkeep) Judged(ctx context.Context) (int, error) {
	var answer struct {
		Targets []struct{ Target, Verdict string }
	}
	if _, err := u.ask(ctx, []int{1}, &answer, "check"); err != nil {
		return 0, err
	}
	judged := 0
	for _, t := range answer.Targets {
		if t.Verdict != "unknown" && t.Target != "upkeep" { // upkeep also judges itself
			judged++
		}
	}
	return judged, nil
}

// Early is what a long check told before its end.
type Early struct {
	Verdicts int           // of targets that could be judged, and told before Last
	By       time.Duration // when the last of them was told
	Last     string        // the target that could not be judged
}

// CheckDespite judges all services although one of them cannot be judged, whose verdict
// must come last.
func (u *Upkeep) CheckDespite(ctx context.Context) (cost measure.Cost, e Early, err error) {
	var disorder error
	told := func(line string, after time.Duration) {
		mark, rest, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(rest, " ")
		switch {
		case e.Last != "":
			disorder = fmt.Errorf("%q was told after %s, which could not be judged", line, e.Last)
		case mark == unknownMark:
			e.Last = name
		default:
			e.Verdicts, e.By = e.Verdicts+1, after
		}
	}
	argv := []string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml"), "check"}
	cost, _, err = measure.Run(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work, OK: []int{1, 3, 5}, Told: told})
	return cost, e, errors.Join(err, disorder)
}

// unknownMark is how a page marks what could not be judged.
const unknownMark = "○"

// Proof is what a drill tells. Times are in seconds.
type Proof struct {
	Verdict string
	Targets []struct {
		Target string
		Facts  struct {
			RTO float64 `json:"rto_s"`
		}
	}
	Proof struct {
		RTO float64 `json:"rto_s"`
	}
}

// Prove is Drill with what it tells.
func (u *Upkeep) Prove(ctx context.Context) (p Proof, cost measure.Cost, err error) {
	cost, err = u.ask(ctx, nil, &p, "drill")
	return p, cost, err
}

// Counts says what the newest copy of a target holds.
func (u *Upkeep) Counts(ctx context.Context, target string) (map[string]int64, error) {
	var answer struct {
		Points []struct {
			Parts []struct {
				Target string
				Counts map[string]int64
			}
		}
	}
	if _, err := u.ask(ctx, nil, &answer, "points"); err != nil {
		return nil, err
	}
	for _, point := range answer.Points { // the newest first
		for _, part := range point.Parts {
			if part.Target == target {
				return part.Counts, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no copy of %s", target)
}

// Logs collects what was logged since the last time; lines says how much that was.
func (u *Upkeep) Logs(ctx context.Context) (cost measure.Cost, lines int64, err error) {
	var answer struct {
		Targets []struct {
			Facts struct{ Lines int64 }
		}
	}
	cost, err = u.ask(ctx, []int{1}, &answer, "logs")
	for _, t := range answer.Targets {
		lines += t.Facts.Lines
	}
	return cost, lines, err
}

// Overwrite puts the newest copy of a target into the running service. The plan, which
// a person would read, is made before and costs nothing here.
func (u *Upkeep) Overwrite(ctx context.Context, target string) (measure.Cost, error) {
	var plan struct{ Plan struct{ Digest string } }
	if _, err := u.ask(ctx, nil, &plan, "plan", "restore", "latest", target); err != nil {
		return measure.Cost{}, err
	}
	return u.verb(ctx, nil, "restore", "latest", target, "--yes", "--plan", plan.Plan.Digest, "--quiet")
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

// Export writes a table as a file and returns its rows.
func (u *Upkeep) Export(ctx context.Context, target, table, file string) (measure.Cost, int, error) {
	var done struct{ Rows int }
	cost, err := u.ask(ctx, nil, &done, "data", "export", target, table, file)
	return cost, done.Rows, err
}

// Merge takes the increments of a target into its tables.
func (u *Upkeep) Merge(ctx context.Context, target string) (measure.Cost, error) {
	return u.verb(ctx, nil, "data", "merge", target, "--yes", "--quiet")
}

// Diagnose judges a target value by value; that it finds something (exit code 1) is no
// failure.
func (u *Upkeep) Diagnose(ctx context.Context, target string) (measure.Cost, error) {
	return u.verb(ctx, []int{1}, "data", "diagnose", target, "--quiet")
}

// Collect takes one round of samples of a target.
func (u *Upkeep) Collect(ctx context.Context, target string) (cost measure.Cost, samples []byte, err error) {
	argv := []string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml"), "collect", target}
	return u.Measure(ctx, measure.Cmd{Argv: argv, Env: u.env, Dir: u.work})
}

// Command is a verb on the declaration, for who runs it beside something else.
func (u *Upkeep) Command(args ...string) (argv, env []string) {
	return append([]string{u.bin, "-f", filepath.Join(u.work, "upkeep.yaml")}, args...), u.env
}
