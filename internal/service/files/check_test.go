package files_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
	"upkeep/internal/service/files"
	"upkeep/internal/service/servicetest"
)

func TestCheck(t *testing.T) {
	at := func(path string, age time.Duration) func(*testing.T, string) {
		return func(t *testing.T, base string) {
			write(t, filepath.Join(base, path), "x", 0o600)
			then := time.Now().Add(-age)
			must(t, os.Chtimes(filepath.Join(base, path), then, then))
		}
	}
	mode := func(path string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, base string) { write(t, filepath.Join(base, path), "x", mode) }
	}
	fresh := func(c *files.Config) { c.MaxAge = quantity.Duration(time.Hour) }
	secret := func(c *files.Config) { c.Secret = true }
	cases := map[string]struct {
		paths  []string
		config func(*files.Config)
		made   func(*testing.T, string)
		want   []service.Finding
	}{
		"all there": {paths: []string{"a"}, made: mode("a/b", 0o644)},
		"a path that is not there": {paths: []string{"a", "gone"}, made: mode("a/b", 0o644),
			want: []service.Finding{{ID: "path-missing", Severity: service.Critical, Args: service.Args{"n": int64(1)}}}},
		"a path that may be away": {paths: []string{"a", "gone"}, made: mode("a/b", 0o644),
			config: func(c *files.Config) { c.Required = false }},
		"a pattern without a match": {paths: []string{"*.yml", "a"}, made: mode("a/b", 0o644),
			want: []service.Finding{{ID: "path-missing", Severity: service.Critical, Args: service.Args{"n": int64(1)}}}},
		"a closed secret": {paths: []string{".env"}, config: secret, made: mode(".env", 0o600)},
		"a secret that the group reads": {paths: []string{".env"}, config: secret, made: mode(".env", 0o640),
			want: []service.Finding{{ID: "secret-exposed", Severity: service.Critical}}},
		"a secret that others read": {paths: []string{".env"}, config: secret, made: mode(".env", 0o604),
			want: []service.Finding{{ID: "secret-exposed", Severity: service.Critical}}},
		"a secret that others write": {paths: []string{".env"}, config: secret, made: mode(".env", 0o602),
			want: []service.Finding{{ID: "secret-exposed", Severity: service.Critical}}},
		"an open file that is no secret": {paths: []string{".env"}, made: mode(".env", 0o644)},
		"fresh":                          {paths: []string{"d"}, config: fresh, made: at("d/f", time.Minute)},
		"stale": {paths: []string{"d"}, config: fresh, made: at("d/f", 3*time.Hour),
			want: []service.Finding{{ID: "stale", Severity: service.Warning}}},
		"no file at all": {paths: []string{"d"}, config: fresh,
			made: func(t *testing.T, base string) { must(t, os.Mkdir(filepath.Join(base, "d"), 0o700)) },
			want: []service.Finding{{ID: "empty", Severity: service.Warning}}},
		"a time in the future is not fresh": {paths: []string{"d"}, config: fresh, made: at("d/f", -24*time.Hour),
			want: []service.Finding{{ID: "empty", Severity: service.Warning}, {ID: "future-times", Severity: service.Warning}}},
		"a link that a pattern matched": {paths: []string{"*.conf"},
			made: func(t *testing.T, base string) { must(t, os.Symlink("/etc/hostname", filepath.Join(base, "x.conf"))) },
			want: []service.Finding{{ID: "link-not-followed", Severity: service.Warning}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			env := servicetest.Env(t)
			c.made(t, env.Base)
			v, err := target(t, env, c.config, c.paths...).Check(t.Context())
			must(t, err)
			compare(t, v.Findings, c.want)
		})
	}
}

// compare holds findings to want; arguments only where want has some.
func compare(t *testing.T, got, want []service.Finding) {
	t.Helper()
	if slugs(got) != slugs(want) {
		t.Fatalf("found %v, want %v", got, want)
	}
	for i, f := range got {
		if f.Severity != want[i].Severity {
			t.Errorf("%s is %s, want %s", f.ID, f.Severity, want[i].Severity)
		}
		if want[i].Args != nil && !reflect.DeepEqual(f.Args["n"], want[i].Args["n"]) {
			t.Errorf("%s has %v, want %v", f.ID, f.Args, want[i].Args)
		}
	}
}

func TestMeasurements(t *testing.T) {
	env := servicetest.Env(t)
	write(t, filepath.Join(env.Base, "d/a"), "1234", 0o600)
	write(t, filepath.Join(env.Base, "d/e/b"), "56", 0o600)
	then := time.Unix(1_700_000_000, 0)
	must(t, os.Chtimes(filepath.Join(env.Base, "d/a"), then, then))
	must(t, os.Chtimes(filepath.Join(env.Base, "d/e/b"), then.Add(-time.Hour), then))
	must(t, os.Symlink("a", filepath.Join(env.Base, "d/l")))
	in := target(t, env, nil, "d")
	v, err := in.Check(t.Context())
	must(t, err)
	want := service.Facts{"files": int64(2), "directories": int64(2), "links": int64(1), "size_bytes": int64(6), "newest": then}
	if !reflect.DeepEqual(v.Facts, want) {
		t.Errorf("facts %v, want %v", v.Facts, want)
	}
	if n, err := in.Size(t.Context()); err != nil || n != 6 {
		t.Errorf("size %d, %v", n, err)
	}
	got := map[string]float64{}
	must(t, in.Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f.Metric[0].Gauge.GetValue() }))
	if at := got["upkeep_files_measured_timestamp_seconds"]; time.Since(time.Unix(int64(at), 0)) > time.Minute {
		t.Errorf("measured at %v", at)
	}
	delete(got, "upkeep_files_measured_timestamp_seconds")
	samples := map[string]float64{"upkeep_files_total": 2, "upkeep_files_directories": 2, "upkeep_files_bytes": 6,
		"upkeep_files_missing": 0, "upkeep_files_unreadable": 0, "upkeep_files_newest_timestamp_seconds": 1_700_000_000}
	if !reflect.DeepEqual(got, samples) {
		t.Errorf("samples %v, want %v", got, samples)
	}
}

func TestACopyOfNothingIsRefused(t *testing.T) {
	env := servicetest.Env(t)
	in := target(t, env, nil, "gone", "*.yml")
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer snap.Close()
	if _, err := servicetest.Store(t.Context(), snap); err == nil {
		t.Error("it was stored")
	} else if id, args := service.ErrorID(err); id != "files.nothing-there" || !reflect.DeepEqual(args["names"], []string{env.Base + "/gone", env.Base + "/*.yml"}) {
		t.Errorf("error %s %v: %v", id, args, err)
	}
}

func TestIdentity(t *testing.T) {
	env := servicetest.Env(t)
	in := target(t, env, nil, "d")
	identity := func() string {
		id, err := in.Identity(t.Context())
		must(t, err)
		return id
	}
	absent := identity()
	write(t, filepath.Join(env.Base, "d/a"), "x", 0o600)
	there := identity()
	write(t, filepath.Join(env.Base, "d/b"), "new data", 0o600)
	if absent == there || there != identity() {
		t.Errorf("identity %q, %q, %q", absent, there, identity())
	}
}
