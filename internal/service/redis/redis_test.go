package redis

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"upkeep/internal/catalogue"
	"upkeep/internal/service/servicetest"
)

func TestWordsAreComplete(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "redis", Text: text})
	must(t, err)
	if err := words.Check(); err != nil {
		t.Error(err)
	}
}

func TestExampleWorks(t *testing.T) {
	var services map[string]struct {
		Kind   string `yaml:"kind"`
		Config `yaml:",inline"`
	}
	must(t, yaml.Unmarshal(example, &services))
	if cfg := services["cache"].Config; services["cache"].Kind != "redis" || cfg.Validate().Err() != nil || cfg.Memory.Critical != 0.95 {
		t.Errorf("example reads as %+v", services)
	}
}

func TestURLs(t *testing.T) {
	for _, tc := range []struct {
		url     string
		want    endpoint
		problem string
	}{
		{"redis://127.0.0.1", endpoint{network: "tcp", address: "127.0.0.1:6379"}, ""},
		{"redis://me@cache:7000/3", endpoint{network: "tcp", address: "cache:7000", user: "me", db: 3}, ""},
		{"rediss://[::1]:7000", endpoint{network: "tcp", address: "[::1]:7000", tls: true}, ""},
		{"unix:///run/redis.sock?db=2", endpoint{network: "unix", address: "/run/redis.sock", db: 2}, ""},
		{"unix://me@/run/redis.sock", endpoint{network: "unix", address: "/run/redis.sock", user: "me"}, ""},
		{"redis://:hush@cache", endpoint{}, passwordInURL},
		{"redis://cache/x", endpoint{}, badDatabase},
		{"redis://cache/-1", endpoint{}, badDatabase},
		{"http://cache", endpoint{}, badURL},
		{"unix://run/redis.sock", endpoint{}, badURL},
		{"", endpoint{}, badURL},
		{"redis://:hu%zzsh@cache", endpoint{}, badURL},
	} {
		got, err := parseURL(tc.url)
		if got != tc.want || (err == nil) != (tc.problem == "") {
			t.Errorf("%s reads as %+v, %v", tc.url, got, err)
		}
		cfg := Config{URL: tc.url}
		problems := cfg.Validate()
		if said := problems.Error(); !strings.Contains(said, tc.problem) || strings.Contains(said, "hush") {
			t.Errorf("%s: %q", tc.url, said)
		}
	}
}

func TestIdentityStaysOverRestartsAndData(t *testing.T) {
	s, other := start(t, ""), start(t, "")
	in := declare(t, s)
	before, err := in.Identity(t.Context())
	must(t, err)
	seed(t, s)
	backup(t, in)
	must(t, s.Stop())
	must(t, s.Start(t.Context()))
	after, err := in.Identity(t.Context())
	must(t, err)
	elsewhere, err := declare(t, other).Identity(t.Context())
	must(t, err)
	if before != after || before == elsewhere || !strings.Contains(before, "redis 7 primary") {
		t.Errorf("%q, then %q; another server %q", before, after, elsewhere)
	}
}

func TestSizeIsNotTooLow(t *testing.T) {
	for _, name := range []string{"empty", "seeded", "incompressible"} {
		t.Run(name, func(t *testing.T) {
			s := start(t, "", "rdbcompression no")
			switch name {
			case "seeded":
				seed(t, s)
			case "incompressible":
				must(t, client(t, s, 0).Do(t.Context(), "DEBUG", "POPULATE", "50000", "k", "100").Err())
			}
			in := declare(t, s)
			size, err := in.Size(t.Context())
			must(t, err)
			if real := int64(len(dumpBytes(t, backup(t, in)))); size < real || size > 20*real+1<<20 {
				t.Errorf("estimated %d, a copy takes %d", size, real)
			}
		})
	}
}

func TestProbeNamesTheScratchServer(t *testing.T) {
	in := &Instance{env: servicetest.Env(t)}
	needs := in.Probe(t.Context())
	if len(needs) != 1 || !strings.Contains(needs[0].Found, "redis-server") || !strings.Contains(needs[0].Found, "7.0") {
		t.Errorf("needs %+v", needs)
	}
}

func TestFormatsAndServers(t *testing.T) {
	for _, tc := range []struct {
		kind, version, format string
		want                  bool
	}{
		{"redis", "Redis server v=7.0.15 sha=0", "REDIS0010", true},
		{"redis", "7.0.15", "REDIS0011", false},
		{"redis", "6.2.14", "REDIS0010", false},
		{"redis", "6.0.9", "REDIS0009", true},
		{"redis", "7.4.1", "REDIS0012", true},
		{"redis", "8.2.0", "VALKEY080", false},
		{"valkey", "8.0.1", "REDIS0011", true},
		{"valkey", "8.0.1", "REDIS0012", false},
		{"valkey", "9.0.0", "VALKEY080", true},
		{"valkey", "9.0.0", "REDIS0012", false},
		{"redis", "7.0.15", "", false},
	} {
		if got := newestFormat(tc.kind, parseVersion(tc.version)).reads(tc.format); got != tc.want {
			t.Errorf("%s %s reads %s: %v", tc.kind, tc.version, tc.format, got)
		}
	}
}
