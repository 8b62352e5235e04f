package files_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

// copied lists the parts of a copy below base.
func copied(t *testing.T, in *files.Instance, base string) []string {
	t.Helper()
	var names []string
	for p, err := range backup(t, in).Parts(t.Context()) {
		must(t, err)
		names = append(names, strings.TrimPrefix("/"+p.Name, base+"/"))
	}
	return names
}

func TestWhatIsDeclared(t *testing.T) {
	tree := []string{"a.yml", "b.yml", "c.txt", ".env", "sub/a.yml", "sub/deep/b.yml", "sub/deep/c.txt", "sub.yml/x", "[x].yml", "sub-a/x", "sub.a"}
	cases := map[string]struct{ paths, exclude, want []string }{
		"a file":                         {[]string{"c.txt"}, nil, []string{"c.txt"}},
		"a pattern":                      {[]string{"*.yml"}, nil, []string{"[x].yml", "a.yml", "b.yml", "sub.yml/", "sub.yml/x"}},
		"a name that looks like one":     {[]string{"[x].yml"}, nil, []string{"[x].yml"}},
		"alternatives":                   {[]string{"{a,b}.yml"}, nil, []string{"a.yml", "b.yml"}},
		"two that overlap":               {[]string{"sub", "sub/deep", "sub/deep/*.yml"}, nil, []string{"sub/", "sub/a.yml", "sub/deep/", "sub/deep/b.yml", "sub/deep/c.txt"}},
		"files beside each other":        {[]string{"c.txt", ".env", "a.yml"}, nil, []string{".env", "a.yml", "c.txt"}},
		"any depth":                      {[]string{"**/b.yml"}, nil, []string{"b.yml", "sub/deep/b.yml"}},
		"any depth below a directory":    {[]string{"sub/**/*.yml"}, nil, []string{"sub/a.yml", "sub/deep/b.yml"}},
		"everything below, by pattern":   {[]string{"sub/**"}, nil, []string{"sub/", "sub/a.yml", "sub/deep/", "sub/deep/b.yml", "sub/deep/c.txt"}},
		"a pattern in the middle":        {[]string{"*/deep/c.txt"}, nil, []string{"sub/deep/c.txt"}},
		"order of a directory's content": {[]string{"sub*"}, nil, []string{"sub-a/", "sub-a/x", "sub.a", "sub.yml/", "sub.yml/x", "sub/", "sub/a.yml", "sub/deep/", "sub/deep/b.yml", "sub/deep/c.txt"}},
		"a name is excluded everywhere":  {[]string{"sub"}, []string{"*.yml"}, []string{"sub/", "sub/deep/", "sub/deep/c.txt"}},
		"a path is excluded there":       {[]string{"sub"}, []string{"sub/*.yml"}, []string{"sub/", "sub/deep/", "sub/deep/b.yml", "sub/deep/c.txt"}},
		"a directory is excluded":        {[]string{"sub"}, []string{"deep"}, []string{"sub/", "sub/a.yml"}},
		"parents in the way":             {[]string{"sub/../c.txt"}, nil, []string{"c.txt"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			env.Base = filepath.Join(env.Base, "[we*ird]")
			for _, path := range tree {
				write(t, filepath.Join(env.Base, path), path, 0o600)
			}
			in := target(t, env, func(cfg *files.Config) { cfg.Exclude = c.exclude }, c.paths...)
			if got := copied(t, in, env.Base); !slices.Equal(got, c.want) {
				t.Errorf("copied %q, want %q", got, c.want)
			}
		})
	}
}

func TestADeclaredLinkStandsForItsTarget(t *testing.T) {
	env := servicetest.Env(t)
	elsewhere := t.TempDir()
	write(t, filepath.Join(elsewhere, "disk/file"), "on another disk", 0o600)
	write(t, filepath.Join(elsewhere, "shared.json"), "shared", 0o600)
	must(t, os.Symlink(filepath.Join(elsewhere, "disk"), filepath.Join(env.Base, "data")))
	must(t, os.Symlink(filepath.Join(elsewhere, "shared.json"), filepath.Join(env.Base, "settings.json")))
	in := target(t, env, nil, "data", "settings.json")
	c := backup(t, in)
	if got, want := copied(t, in, env.Base), []string{"data/", "data/file", "settings.json"}; !slices.Equal(got, want) {
		t.Fatalf("copied %q, want %q", got, want)
	}
	write(t, filepath.Join(elsewhere, "disk/file"), "lost", 0o600)
	write(t, filepath.Join(elsewhere, "shared.json"), "lost", 0o600)
	restore(t, in, c, "")
	equal(t, in, c)
	for path, want := range map[string]string{"disk/file": "on another disk", "shared.json": "shared"} {
		if got, err := os.ReadFile(filepath.Join(elsewhere, path)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", path, got, err)
		}
	}
	for _, name := range []string{"data", "settings.json"} {
		if st, err := os.Lstat(filepath.Join(env.Base, name)); err != nil || st.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v, %v", name, st, err)
		}
	}
	must(t, os.Remove(filepath.Join(env.Base, "data")))
	must(t, os.Remove(filepath.Join(env.Base, "settings.json")))
	restore(t, in, c, "")
	equal(t, in, c)
}

func TestConfigProblemsAreNamedByPath(t *testing.T) {
	cases := map[string]files.Config{
		"paths: must name at least one directory, file or pattern":                      {},
		"paths[1]: must not be empty":                                                   {Paths: []string{"a", ""}},
		`paths[0]: is not a pattern: "[a" has an open bracket or brace`:                 {Paths: []string{"[a"}},
		`exclude[0]: is not a pattern: "{a" has an open bracket or brace`:               {Paths: []string{"a"}, Exclude: []string{"{a"}},
		"paths[0]: must not have a slash inside braces: write one path per alternative": {Paths: []string{"{a/b,c}"}},
		"": {Paths: []string{"a", "**/*.{yml,yaml}", "/x/[ab]?"}},
	}
	for want, cfg := range cases {
		if got := cfg.Validate().Error(); got != want {
			t.Errorf("%v: %q, want %q", cfg, got, want)
		}
	}
}

func TestARelativePathNeedsADirectory(t *testing.T) {
	env := servicetest.Env(t)
	env.Base = "."
	if _, err := files.Kind.Open(env, &files.Config{Paths: []string{"data"}}); err == nil {
		t.Error("a path relative to wherever the program was started is accepted")
	}
}
