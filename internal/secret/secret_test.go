package secret_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"upkeep/internal/secret"
)

func TestReferencesAreReadFromYAML(t *testing.T) {
	cases := []struct{ yaml, shown string }{
		{"env:DB", "env:DB"},
		{"file:secrets/db", "file:secrets/db"},
		{"dotenv:.env#DB", "dotenv:.env#DB"},
		{"compose:docker-compose.yml#db.POSTGRES_PASSWORD", "compose:docker-compose.yml#db.POSTGRES_PASSWORD"},
		{"{command: [pass, show, db]}", "command:pass show db"},
		{"hunter2:x", "literal:…"},
		{"123456", "literal:…"},
	}
	for _, c := range cases {
		var ref secret.Ref
		if err := yaml.Unmarshal([]byte(c.yaml), &ref); err != nil || ref.String() != c.shown {
			t.Errorf("%s: shown as %s, %v; want %s", c.yaml, ref, err, c.shown)
		}
	}
	for _, bad := range []string{"[a]", "{command: []}", "{cmd: [a]}"} {
		var ref secret.Ref
		if err := yaml.Unmarshal([]byte(bad), &ref); err == nil {
			t.Errorf("%s: read as %s, want an error", bad, ref)
		}
	}
}

func FuzzLiteralIsNeverShown(f *testing.F) {
	f.Add("hunter2")
	f.Add("https://user:pass@host")
	f.Fuzz(func(t *testing.T, text string) {
		ref := secret.Parse("\x01" + text + "\x02") // no scheme begins like this
		for _, shown := range everyWay(ref) {
			for _, mark := range []string{"\x01", `\x01`, `\u0001`, "\x02", `\x02`, `\u0002`, "01", "02"} {
				if strings.Contains(shown, mark) {
					t.Errorf("shows its literal: %q", shown)
				}
			}
		}
	})
}

func everyWay(ref secret.Ref) []string {
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("m", "ref", ref)
	asJSON, jsonErr := json.Marshal(map[string]any{"ref": ref})
	asYAML, yamlErr := yaml.Marshal(map[string]any{"ref": ref})
	all := []string{logged.String(), string(asJSON), string(asYAML), fmt.Sprint(jsonErr), fmt.Sprint(yamlErr),
		fmt.Errorf("open: %w", fmt.Errorf("%v", ref)).Error()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t", "%20s"} {
		all = append(all, fmt.Sprintf(verb, ref), fmt.Sprintf(verb, &ref),
			fmt.Sprintf(verb, struct{ Ref secret.Ref }{ref}), fmt.Sprintf(verb, []secret.Ref{ref}))
	}
	return all
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
