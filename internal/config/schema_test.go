package config_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"upkeep/internal/config"
)

func validator(t *testing.T) func(text string) error {
	t.Helper()
	written, err := config.Schema(kinds())
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		asJSON, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		return compiled.Validate(value)
	}
}

func TestSchemaTakesWhatTheLoaderTakes(t *testing.T) {
	validate := validator(t)
	plain := strings.Replace(whole, `{<<: &more {tier: "1"}, zone: 2}`, `{tier: "1", zone: "2"}`, 1)
	if err := validate(plain); err != nil {
		t.Error(err)
	}
	if err := validate("system: s\nservices: {h: {kind: host, title: x, after: [a], limit: 1 MB/s}}\n"); err != nil {
		t.Error(err)
	}
}

func TestSchemaRefusesWhatTheLoaderRefuses(t *testing.T) {
	validate := validator(t)
	for name, bad := range map[string]string{
		"unknown top-level key":   "system: s\nservices: {h: {kind: host}}\ncolour: x\n",
		"unknown kind":            "system: s\nservices: {h: {kind: hots}}\n",
		"missing kind":            "system: s\nservices: {h: {mounts: [/]}}\n",
		"key of another kind":     "system: s\nservices: {h: {kind: host, url: x}}\n",
		"wrong type":              "system: s\nservices: {h: {kind: host, mounts: /}}\n",
		"share without a sign":    "system: s\nservices: {h: {kind: postgres, url: x, disk: {warning: 80}}}\n",
		"duration without unit":   "system: s\nservices: {h: {kind: host}}\nkeep: {undo: 7}\n",
		"no service":              "system: s\nservices: {}\n",
		"unknown language":        "system: s\nlanguage: fr\nservices: {h: {kind: host}}\n",
		"severity that is no one": "system: s\nservices: {h: {kind: host}}\nassertions: [{severity: ok}]\n",
	} {
		if err := validate(bad); err == nil {
			t.Errorf("%s is valid", name)
		}
	}
	content, err := os.ReadFile("testdata/twenty-mistakes.bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(strings.Replace(string(content), "    port: 5433\n", "", 1)); err == nil {
		t.Error("twenty mistakes are valid")
	}
}
