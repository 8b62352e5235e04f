package postgres_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"upkeep/internal/service/postgres"
)

func TestEscapedNamesAreUniqueAndHarmless(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a%/.2F*]{0,6}`)).Draw(t, "name")
		escaped := postgres.Escape(name)
		if strings.ContainsAny(escaped, "/.*' \"\n") || !utf8.ValidString(escaped) {
			t.Fatalf("%q became %q", name, escaped)
		}
		if other, twice := seen[escaped]; twice && other != name {
			t.Fatalf("%q and %q both became %q", name, other, escaped)
		}
		seen[escaped] = name
	})
}

func TestTheDigestKnowsRowsAndNotTheirOrder(t *testing.T) {
	rows, sum := postgres.Digest("a\n", "b\n", "b\n")
	for name, pieces := range map[string][]string{
		"another order":   {"b\nb\na\n"},
		"other pieces":    {"a", "\nb\n", "b", "", "\n"},
		"byte after byte": {"b", "\n", "a", "\n", "b", "\n"},
	} {
		if n, other := postgres.Digest(pieces...); n != rows || other != sum {
			t.Errorf("%s: %d rows, %s; want %d, %s", name, n, other, rows, sum)
		}
	}
	for name, pieces := range map[string][]string{
		"a pair less": {"a\n"}, "a row less": {"a\n", "b\n"}, "moved text": {"ab\n", "\n", "b\n"}, "another row": {"a\n", "b\n", "c\n"},
	} {
		if _, other := postgres.Digest(pieces...); other == sum {
			t.Errorf("%s: the digest is the same", name)
		}
	}
}

func TestScriptsAreSplitAtTheirStatements(t *testing.T) {
	script := `-- a comment; with 'quotes
\restrict abc;
CREATE ROLE "a;""b
c";
ALTER ROLE x PASSWORD 'it''s; \'; /* ; */ COMMENT ON ROLE x IS E'\';"';
DO $do$ BEGIN; $x$;$x$; END $do$;
SELECT a$b;
\connect x
;;
SELECT 1`
	want := []string{"CREATE ROLE \"a;\"\"b\nc\"", `ALTER ROLE x PASSWORD 'it''s; \'`, `COMMENT ON ROLE x IS E'\';"'`, "DO $do$ BEGIN; $x$;$x$; END $do$", "SELECT a$b"}
	if got := postgres.Statements(script); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"a", "a", true}, {"a", "ab", false}, {"a*", "a", true}, {"*", "", true}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"db.*.t", "db.s.t", true}, {"db.*.t", "db.t", false}, {"*b*", "abc", true}, {"a*b*c", "acb", false},
	} {
		if got := postgres.Matches(c.pattern, c.name); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.name, got)
		}
	}
}

func TestEveryMistakeOfADeclarationIsTold(t *testing.T) {
	for text, want := range map[string]string{
		"url: ''":                      "url: is missing",
		"url: 'mysql://u@h/d'":         "url: must be an address",
		"url: 'postgres://h/d'":        "url: names no user",
		"url: 'postgres://u@/d'":       "url: names no host",
		"url: 'postgres://u@h'":        "url: names no database",
		"exclude: [a.b]":               "exclude[0]: must be DATABASE",
		"databases: ['']":              "databases[0]: must name",
		"pools: [{size: 0}]":           "pools[0].size: must be at least 1",
		"connections: {warning: 99%}":  "connections: warning (99%)",
		"url: 'postgres://u:s3cr3t@%'": "url: must be an address",
	} {
		cfg := postgres.Kind.NewConfig().(*postgres.Config)
		cfg.URL = "postgres://u@h/d"
		if err := yaml.Unmarshal([]byte(text), cfg); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		problems := postgres.Kind.Validate(cfg).Err()
		if problems == nil || !strings.Contains(problems.Error(), want) || strings.Contains(problems.Error(), "s3cr3t") {
			t.Errorf("%s: %v; want %s", text, problems, want)
		}
	}
}

func TestTheExampleIsValid(t *testing.T) {
	declared := map[string]*postgres.Config{"db": postgres.Kind.NewConfig().(*postgres.Config)}
	text := strings.Replace(string(postgres.Kind.Example()), "  kind: postgres\n", "", 1)
	if err := yaml.UnmarshalWithOptions([]byte(text), &declared, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Kind.Validate(declared["db"]).Err(); err != nil {
		t.Error(err)
	}
}
