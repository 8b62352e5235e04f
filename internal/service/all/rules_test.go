package all_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"upkeep/internal/service/all"
	"upkeep/lab"
)

// rules is a file of Prometheus' rules, as far as it is judged here.
type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

// places are the directories with a rules.yaml: one per kind, and upkeep's own.
func places(t *testing.T) map[string]string {
	t.Helper()
	dirs := map[string]string{"upkeep": "../../control"}
	for _, kind := range all.Kinds().Kinds() {
		if len(kind.Rules()) > 0 {
			dirs[kind.Name()] = filepath.Join("..", kind.Name())
		}
	}
	return dirs
}

// testsOf are the tests of a place: rules that look at days are evaluated every hour there.
func testsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "rules*_test.yaml"))
	must(t, err)
	return files
}

func TestEveryKindThatIsSampledHasRules(t *testing.T) {
	for _, kind := range all.Kinds().Kinds() {
		if kind.Offers("collect") && len(kind.Rules()) == 0 {
			t.Errorf("%s has no rules", kind.Name())
		}
	}
}

func TestRulesFireOnTheBadSeriesAndNotOnTheGoodOne(t *testing.T) {
	lab.Need(t, "promtool")
	for name, dir := range places(t) {
		t.Run(name, func(t *testing.T) {
			for _, file := range testsOf(t, dir) {
				if out, err := exec.Command("promtool", "test", "rules", file).CombinedOutput(); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			}
		})
	}
}

func TestRulesSayWhatPeopleNeed(t *testing.T) {
	for name, dir := range places(t) {
		text, err := os.ReadFile(filepath.Join(dir, "rules.yaml"))
		must(t, err)
		var tests string
		for _, test := range testsOf(t, dir) {
			text, err := os.ReadFile(test)
			must(t, err)
			tests += string(text)
		}
		var file rules
		must(t, yaml.Unmarshal(text, &file))
		for _, group := range file.Groups {
			if group.Name != name {
				t.Errorf("%s has a group %s", name, group.Name)
			}
			for _, r := range group.Rules {
				if s := r.Labels["severity"]; s != "warning" && s != "critical" {
					t.Errorf("%s has severity %q", r.Alert, s)
				}
				for _, a := range []string{"summary", "description", "summary_zh", "description_zh"} {
					if r.Annotations[a] == "" {
						t.Errorf("%s has no %s", r.Alert, a)
					}
				}
				if _, err := os.Stat(filepath.Join("../../..", r.Annotations["runbook"])); err != nil || r.Annotations["runbook"] == "" {
					t.Errorf("the runbook of %s: %v", r.Alert, err)
				}
				if !strings.Contains(tests, "- name: "+r.Alert+"\n") {
					t.Errorf("%s has no test", r.Alert)
				}
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
