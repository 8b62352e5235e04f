package collect_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/proto"

	"upkeep/internal/capability/collect"
	"upkeep/internal/config"
	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// emitting is an instance with fixed samples.
type emitting []*dto.MetricFamily

func (emitting) Close() error { return nil }

func (e emitting) Collect(_ context.Context, emit func(*dto.MetricFamily)) error {
	for _, f := range e {
		emit(f)
	}
	return nil
}

func family(name string, t dto.MetricType, value float64) *dto.MetricFamily {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &value}}
	if t == dto.MetricType_COUNTER {
		m = &dto.Metric{Counter: &dto.Counter{Value: &value}}
	}
	return &dto.MetricFamily{Name: proto.String(name), Type: t.Enum(), Metric: []*dto.Metric{m}}
}

func TestTargetsThatDisagreeAboutAFamilyAreNamed(t *testing.T) {
	gauge, counter := dto.MetricType_GAUGE, dto.MetricType_COUNTER
	cfg := &config.Config{System: "shop"}
	for name, in := range map[string]emitting{
		"a": {family("level", gauge, 1)},
		"b": {family("level", counter, 2), family("other", gauge, 3)},
	} {
		kind := service.Define(name, func(service.Env, struct{}) (emitting, error) { return in, nil }, []byte("x"), nil)
		cfg.Services = append(cfg.Services, config.Service{Name: name, Kind: kind, Config: kind.NewConfig()})
	}
	inv := inventory.New(cfg, func(string) service.Env { return service.Env{} })
	round := collect.Round{System: "shop", Targets: inv.Targets()}
	t.Cleanup(func() { _ = round.Close() })
	failed := map[string]error{}
	var all collect.Exposition
	round.Take(t.Context(), func(s collect.Sampled) {
		if err := errors.Join(s.Err, all.Add(s)); err != nil {
			failed[s.Target] = err
		}
	})
	var out bytes.Buffer
	if err := all.OpenMetrics(&out); err != nil {
		t.Fatal(err)
	}
	const other = `other{instance="b",job="b",system="shop",target="b"} 3.0`
	if len(failed) != 1 || strings.Count(out.String(), "# TYPE level ") != 1 || !strings.Contains(out.String(), other) {
		t.Errorf("failed %v\n%s", failed, &out)
	}
	for target, err := range failed {
		if !strings.Contains(err.Error(), "level is a ") {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// opened counts how often an instance was opened and closed, and fails on demand.
type opened struct{ opens, closes, fails *int }

func (o opened) Close() error { *o.closes++; return nil }

func (o opened) Collect(_ context.Context, emit func(*dto.MetricFamily)) error {
	emit(family("level", dto.MetricType_GAUGE, 1))
	if *o.fails > 0 {
		*o.fails--
		return service.ErrUnreachable
	}
	return nil
}

func TestInstancesStayOpenUntilTheyFail(t *testing.T) {
	o := opened{new(int), new(int), new(int)}
	kind := service.Define("a", func(service.Env, struct{}) (opened, error) { *o.opens++; return o, nil }, []byte("x"), nil)
	cfg := &config.Config{System: "shop", Services: []config.Service{{Name: "a", Kind: kind, Config: kind.NewConfig()}}}
	round := collect.Round{System: "shop", Targets: inventory.New(cfg, func(string) service.Env { return service.Env{} }).Targets()}
	take := func() (up float64) {
		round.Take(t.Context(), func(s collect.Sampled) {
			for _, f := range s.Families {
				if f.GetName() == "up" {
					up = f.Metric[0].GetGauge().GetValue()
				}
			}
		})
		return up
	}
	if first, second := take(), take(); first != 1 || second != 1 || *o.opens != 1 || *o.closes != 0 {
		t.Errorf("two good rounds opened it %d times and closed it %d times", *o.opens, *o.closes)
	}
	*o.fails = 1
	if take() != 0 || *o.closes != 1 {
		t.Errorf("after a round that failed it was closed %d times", *o.closes)
	}
	if take() != 1 || *o.opens != 2 {
		t.Errorf("after that it was opened %d times", *o.opens)
	}
	if err := round.Close(); err != nil || *o.closes != 2 {
		t.Errorf("closed %d times, %v", *o.closes, err)
	}
}

func TestNamesStayThoseOfTheExporters(t *testing.T) {
	var all collect.Exposition
	if err := all.Add(collect.Sampled{Families: []*dto.MetricFamily{family("pg_commits", dto.MetricType_COUNTER, 7)}}); err != nil {
		t.Fatal(err)
	}
	var open, text bytes.Buffer
	if err := errors.Join(all.OpenMetrics(&open), all.Text(&text)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(open.String(), "\npg_commits 7") || !strings.Contains(text.String(), "# TYPE pg_commits counter\npg_commits 7") {
		t.Errorf("%s\n%s", &open, &text)
	}
}
