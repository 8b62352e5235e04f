package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
	"upkeep/internal/engine"
	"upkeep/internal/journal"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
	"upkeep/internal/service/servicetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// desk is somebody without a terminal at a system of one bucket.
type desk struct {
	dir    string
	bucket *servicetest.Bucket
	env    map[string]string
	now    time.Time
}

func newDesk(t *testing.T, more string) *desk {
	t.Helper()
	d := &desk{dir: t.TempDir(), bucket: servicetest.NewBucket(3), env: map[string]string{}, now: time.Date(2026, 11, 22, 2, 0, 0, 0, time.Local)}
	d.declare(t, "system: shop\nstate: state\nscratch: {dir: scratch}\nservices: {a: {kind: fake}}\njobs: {daily: {do: [check, backup]}}\n"+more)
	return d
}

func (d *desk) declare(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, "upkeep.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) world(t *testing.T, out, errs *bytes.Buffer) World {
	t.Helper()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return World{Kinds: service.NewRegistry(d.bucket.Kind()), Getenv: func(name string) string { return d.env[name] },
		Now: func() time.Time { return d.now }, In: in, Out: out, Err: errs, Version: "1.0"}
}

// upkeep runs one command line; the declaration is named where the words have @.
func (d *desk) upkeep(t *testing.T, line string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	d.now = d.now.Add(time.Hour)
	args := strings.Fields(strings.ReplaceAll(line, "@", "-f "+filepath.Join(d.dir, "upkeep.yaml")))
	if strings.HasSuffix(line, " ") { // as completion asks for an empty word
		args = append(args, "")
	}
	code = Run(t.Context(), d.world(t, &stdout, &stderr), args)
	return code, stdout.String(), stderr.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update rewrites it); got\n%s", file, got)
	}
}

// commands lists every command that a person can see, by its path.
func commands(t *testing.T) []string {
	t.Helper()
	texts, err := control.Texts(all.Kinds(), Words())
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, "")
	c := &cli{World: d.world(t, &bytes.Buffer{}, &bytes.Buffer{}), catalogue: texts}
	c.speak("")
	root := c.root()
	c.speakHelp(root, nil)
	var paths []string
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		paths = append(paths, strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), "upkeep")))
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	return paths
}

func TestHelpOfEveryCommandInBothLanguages(t *testing.T) {
	paths := commands(t)
	if len(paths) < 25 {
		t.Fatalf("only %d commands: %v", len(paths), paths)
	}
	d := newDesk(t, "")
	for lang, cobras := range map[string][]string{
		"en": nil,
		"zh": {"Usage:", "Available Commands:", "Flags:", "Examples:", "help for ", "Generate the", "more information", "Help about"},
	} {
		var pages strings.Builder
		for _, path := range paths {
			code, out, errs := d.upkeep(t, path+" --help --lang "+lang)
			if code != 0 || errs != "" || strings.Contains(out, "!cli.") || strings.Contains(out, "!") && strings.Contains(out, ".flag-") {
				t.Errorf("%s in %s: exit %d %s\n%s", path, lang, code, errs, out)
			}
			for _, word := range cobras {
				if strings.Contains(out, word) {
					t.Errorf("%s in %s says %q", path, lang, word)
				}
			}
			pages.WriteString("$ upkeep " + path + "\n" + out + "\n")
		}
		golden(t, "help."+lang+".txt", pages.String())
	}
}

func TestEveryFlagHasWordsInBothLanguages(t *testing.T) {
	texts, err := control.Texts(all.Kinds(), Words())
	if err == nil {
		err = texts.Check()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestTheMatrixOfKinds(t *testing.T) {
	var out, errs bytes.Buffer
	d := newDesk(t, "")
	w := d.world(t, &out, &errs)
	w.Kinds = all.Kinds()
	if code := Run(t.Context(), w, []string{"kinds"}); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	golden(t, "kinds.txt", out.String())
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	d := newDesk(t, "")
	for line, want := range map[string]string{
		"chek":                               "Did you mean",
		"nonsense":                           "unknown command",
		"check --nope":                       "unknown flag",
		"check @ --timeout soon":             "invalid argument",
		"check @ --timeout -5s":              "-5s",
		"check @ --fail-on never":            `"never"`,
		"check @ --lang fr":                  "zh or en",
		"points @ nonsense":                  "unknown command",
		"config nonsense":                    "unknown command",
		"audit-log nonsense":                 "unknown command",
		"points ls @":                        "accepts between",
		"restore @":                          "requires at least",
		"show @":                             "accepts 1 arg",
		"run @":                              "--resume",
		"run @ daily --resume x":             "--resume",
		"verify @ --sample NaN%":             "NaN%",
		"verify @ --sample 0%":               "0%",
		"verify @ --sample 5":                "5%",
		"kinds nonsense":                     "nonsense",
		"report @ --week --month":            "--week",
		"report @ --format docx":             "docx",
		"plan @ fly":                         "fly",
		"plan @ restore":                     "latest",
		"plan @ verify latest a":             "whole points",
		"plan @ backup --only x":             "--only",
		"plan @ check --discard-current a":   "--discard-current",
		"approve @ --dry-run sha256:0000":    "--dry-run",
		"run @ --resume x --dry-run":         "--dry-run",
		"points export @ latest f --dry-run": "--dry-run",
		"restore @ latest --to d --dry-run":  "--dry-run",
		"doctor @ --password-kept --dry-run": "--dry-run",
	} {
		code, out, errs := d.upkeep(t, line)
		if code != engine.ExitUsage || out != "" || !strings.Contains(errs, want) || strings.Contains(errs, "!cli") {
			t.Errorf("%s: exit %d, out %q, err %q", line, code, out, errs)
		}
		code, out, errs = d.upkeep(t, line+" --json")
		var answer struct {
			Exit     int    `json:"exit_code"`
			Verdict  string `json:"verdict"`
			Problems []struct{ Message string }
		}
		if err := json.Unmarshal([]byte(out), &answer); err != nil || code != engine.ExitUsage || answer.Exit != code || len(answer.Problems) != 1 || errs != "" {
			t.Errorf("%s --json: exit %d, %v, out %q, err %q", line, code, err, out, errs)
		}
	}
	if left, err := os.ReadDir(d.dir); err != nil || len(left) != 1 {
		t.Errorf("mistakes left %v, %v", left, err)
	}
	if _, _, errs := d.upkeep(t, "--lang zh verify @ --sample 5"); !strings.Contains(errs, "命令行有误") || !strings.Contains(errs, "比例") {
		t.Errorf("in Chinese: %q", errs)
	}
}

func TestABadDeclarationIsToldInBothForms(t *testing.T) {
	d := newDesk(t, "")
	d.declare(t, "system: shop\nservices: {a: {kind: fakee}}\nkep: {}\n")
	code, out, errs := d.upkeep(t, "check @ --lang en")
	if code != engine.ExitUsage || out != "" || strings.Count(errs, "upkeep.yaml:") != 2 {
		t.Errorf("exit %d, out %q, err %q", code, out, errs)
	}
	code, out, errs = d.upkeep(t, "check @ --json")
	var answer struct {
		Exit     int `json:"exit_code"`
		Problems []problemView
	}
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != engine.ExitUsage || answer.Exit != code || len(answer.Problems) != 2 || errs != "" {
		t.Errorf("exit %d, %v, out %q, err %q", code, err, out, errs)
	}
	if p := answer.Problems[0]; p.Line != 2 || p.Column == 0 || p.Path != "services.a.kind" || p.Message == "" {
		t.Errorf("%+v", p)
	}
}

func TestAFailureIsOneJSONObject(t *testing.T) {
	d := newDesk(t, "")
	for line, want := range map[string]struct {
		code int
		id   string
	}{
		"verify @ --json":              {engine.ExitFailed, "error.no-point"},
		"check @ nope --json":          {engine.ExitUsage, "error.undeclared"},
		"run @ hourly --json":          {engine.ExitUsage, "error.undeclared"},
		"show @ 1999 --json":           {engine.ExitFailed, "error.not-found"},
		"apply @ sha256:00000 --json":  {engine.ExitFailed, "error.not-found"},
		"run @ --resume latest --json": {engine.ExitFailed, "error.not-found"},
	} {
		code, out, errs := d.upkeep(t, line)
		var answer runView
		if err := json.Unmarshal([]byte(out), &answer); err != nil || errs != "" {
			t.Errorf("%s: %v, out %q, err %q", line, err, out, errs)
			continue
		}
		if e := answer.Error; code != want.code || answer.Exit != code || answer.Verdict != service.Unknown || e == nil ||
			e.ID != want.id || e.Title == "" || e.Fix == "" || e.Consequence == "" {
			t.Errorf("%s: exit %d, %s", line, code, out)
		}
	}
}

func TestADryRunTouchesNothing(t *testing.T) {
	d := newDesk(t, "")
	for _, line := range []string{"check @", "backup @", "run @ daily", "plan @ backup"} {
		if code, out, errs := d.upkeep(t, line+" --dry-run"); code != 0 || out == "" || errs != "" {
			t.Errorf("%s: exit %d, out %q, err %q", line, code, out, errs)
		}
	}
	if left, err := os.ReadDir(d.dir); err != nil || len(left) != 1 {
		t.Fatalf("left %v, %v", left, err)
	}
	if code, _, errs := d.upkeep(t, "backup @ --quiet"); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	d.bucket.Put("object-000001", "spoilt")
	_, out, _ := d.upkeep(t, "plan @ restore latest --json")
	var made struct{ Plan planView }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code, _, errs := d.upkeep(t, "approve @ "+made.Plan.Digest); code != 0 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	before := d.bucket.Opened()
	for _, line := range []string{"restore @ latest --yes", "apply @ " + made.Plan.Digest, "plan @ restore latest"} {
		code, out, errs := d.upkeep(t, line+" --dry-run")
		if code != 0 || !strings.Contains(out, "replaces data") || d.bucket.Opened() != before {
			t.Errorf("%s: exit %d, out %q, err %q, %d parts were read", line, code, out, errs, d.bucket.Opened()-before)
		}
	}
	if code, _, errs := d.upkeep(t, "apply @ "+made.Plan.Digest); code != 0 {
		t.Errorf("the plan was used up: exit %d: %s", code, errs)
	}
	_, out, _ = d.upkeep(t, "show @ latest --json")
	var run runView
	if err := json.Unmarshal([]byte(out), &run); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	before = d.bucket.Opened()
	if code, out, errs := d.upkeep(t, "undo @ "+run.Run+" --yes --dry-run"); code != 0 || !strings.Contains(out, "replaces data") || d.bucket.Opened() != before {
		t.Errorf("undo: exit %d, out %q, err %q", code, out, errs)
	}
}

func TestWhoMayApplyAPlan(t *testing.T) {
	d := newDesk(t, "")
	const digest = "sha256:4f2a6b00"
	plan := func(risk service.Risk, approved time.Time) journal.Plan {
		return journal.Plan{Digest: digest, Approved: approved,
			Steps: []service.Step{{Target: "a", Risk: service.Harmless}, {Target: "a", Risk: risk}, {Target: "a", Risk: service.ReadOnly}}}
	}
	for name, tc := range map[string]struct {
		yes  bool
		plan string
		risk service.Risk
		by   time.Time
		want string // error ID; empty when it may
	}{
		"nobody said anything":                   {risk: service.Harmless, want: "error.approval-missing"},
		"yes to what can be undone":              {yes: true, risk: service.Reversible},
		"yes to what users feel":                 {yes: true, risk: service.Disruptive},
		"yes alone to what destroys":             {yes: true, risk: service.Destructive, want: "error.approval-missing"},
		"yes alone to what nobody knows":         {yes: true, risk: "odd", want: "error.approval-missing"},
		"yes and the digest":                     {yes: true, plan: digest, risk: service.Destructive},
		"yes and its beginning":                  {yes: true, plan: "sha256:4f2a", risk: service.Destructive},
		"yes and its digits":                     {yes: true, plan: "4f2a6b", risk: service.Destructive},
		"too little of it":                       {yes: true, plan: "sha256:4f", risk: service.Destructive, want: "error.stale"},
		"only what all have":                     {yes: true, plan: "sha256:", risk: service.Destructive, want: "error.stale"},
		"the digest of another plan":             {yes: true, plan: "sha256:aaaa", risk: service.Reversible, want: "error.stale"},
		"the digest without a yes":               {plan: digest, risk: service.Destructive, want: "error.approval-missing"},
		"approved by somebody":                   {risk: service.Destructive, by: d.now},
		"approved, but another plan than is now": {plan: "sha256:aaaa", risk: service.Destructive, by: d.now, want: "error.stale"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cli{World: d.world(t, &bytes.Buffer{}, &bytes.Buffer{}), yes: tc.yes, plan: tc.plan}
			var id string
			if err := c.agreed(plan(tc.risk, tc.by)); err != nil {
				id, _ = service.ErrorID(err)
			}
			if id != tc.want {
				t.Errorf("got %q, want %q", id, tc.want)
			}
		})
	}
}

func TestShares(t *testing.T) {
	for text, want := range map[string]float64{"100%": 1, "5%": 0.05, "0.1%": 0.001, "101%": -1, "0%": -1, "-5%": -1, "5": -1, "%": -1,
		"NaN%": -1, "Inf%": -1, "": -1, "5%%": -1} {
		got, ok := percent(text)
		if ok != (want > 0) || ok && got != want {
			t.Errorf("%q is %v (%v), want %v", text, got, ok, want)
		}
	}
}

func TestNamesDoNotDriveTheTerminal(t *testing.T) {
	for name, want := range map[string]string{
		"文件.txt":        "文件.txt",
		"with space":    "with space",
		"a\x1b[2Jb":     `"a\x1b[2Jb"`,
		"line\nbreak":   `"line\nbreak"`,
		"broken\xff":    `"broken\xff"`,
		"del\x7f":       `"del\x7f"`,
		"rev\u202etxt":  `"rev\u202etxt"`,
		"c1\u009bhere":  `"c1\u009bhere"`,
		"plain/a-b_c.d": "plain/a-b_c.d",
	} {
		if got := legible(name); got != want {
			t.Errorf("%q is shown as %s, want %s", name, got, want)
		}
	}
}

func TestTheReadersLanguage(t *testing.T) {
	d := newDesk(t, "language: zh\n")
	for _, tc := range []struct{ line, lang, want string }{
		{"points @", "", "恢复点"},
		{"points @", "en_US.UTF-8", "No restore point"},
		{"--lang en points @", "", "No restore point"},
		{"points @ --lang=en", "zh_CN.UTF-8", "No restore point"},
		{"points @", "C", "恢复点"},
		{"points --help", "zh_CN.UTF-8", "用法"},
		{"--lang zh --help", "en_US.UTF-8", "用法"},
		{"--help --lang=zh", "", "用法"},
	} {
		d.env = map[string]string{"LANG": tc.lang}
		if code, out, errs := d.upkeep(t, tc.line); code != 0 || !strings.Contains(out, tc.want) {
			t.Errorf("%s under %q: exit %d, out %q, err %q", tc.line, tc.lang, code, out, errs)
		}
	}
}

func TestCompletionOffersWhatThereIsAndNeverFails(t *testing.T) {
	d := newDesk(t, "")
	complete := func(line string) string {
		t.Helper()
		code, out, errs := d.upkeep(t, "__complete "+line)
		if code != 0 || strings.Contains(errs, "rror:") {
			t.Errorf("%s: exit %d, err %q", line, code, errs)
		}
		return out
	}
	for line, want := range map[string]string{
		"check @ ":        "a\n",
		"drill @ ":        "latest\n",
		"drill @ latest ": "a\n",
		"run @ ":          "daily\n",
		"kinds ":          "fake\n",
		"show @ ":         ":4\n",
	} {
		if got := complete(line); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if left, err := os.ReadDir(d.dir); err != nil || len(left) != 1 {
		t.Errorf("completing left %v, %v", left, err)
	}
	d.declare(t, "system: [")
	for _, line := range []string{"check @ ", "show @ ", "drill @ ", "run @ "} {
		if got := complete(line); !strings.HasPrefix(got, ":") {
			t.Errorf("%s of a broken declaration: %q", line, got)
		}
	}
}

func TestProgressIsToldWhereSomebodyLooks(t *testing.T) {
	d := newDesk(t, "")
	for name, tc := range map[string]struct {
		quiet, json, want bool
	}{
		"elsewhere": {want: true}, "quiet": {quiet: true}, "for a program": {json: true},
	} {
		c := &cli{World: d.world(t, &bytes.Buffer{}, &bytes.Buffer{}), quiet: tc.quiet, json: tc.json}
		if told := c.progress() != nil; told != tc.want {
			t.Errorf("%s: %v", name, told)
		}
	}
}

func TestALongCheckTellsVerdictsAsTheyCome(t *testing.T) {
	var told bytes.Buffer
	d := newDesk(t, "")
	c := &cli{World: d.world(t, &bytes.Buffer{}, &told)}
	texts, err := control.Texts(c.Kinds, Words())
	if err != nil {
		t.Fatal(err)
	}
	c.words = texts.Words("en")
	w := &early{cli: c}
	finish := func(name string, v service.Severity) {
		w.watch(engine.Event{Verb: "check", State: engine.Finished, Result: &journal.Target{Target: name, Verdict: v}})
	}
	for range 3 {
		w.watch(engine.Event{Verb: "check", State: engine.Started})
	}
	finish("db", service.OK)
	if told.Len() != 0 {
		t.Errorf("told at once: %q", told.String())
	}
	w.show() // as after a while
	finish("disk", service.Warning)
	finish("cache", service.Unknown)
	if want := "● db  ok\n▲ disk  warning\n○ cache  could not tell\n"; told.String() != want {
		t.Errorf("told %q, want %q", told.String(), want)
	}
	w.show() // a check that is over has nothing more to tell
	w.watch(engine.Event{Verb: "check", State: engine.Started})
	finish("db", service.OK)
	if n := strings.Count(told.String(), "\n"); n != 3 {
		t.Errorf("%d lines", n)
	}
}
