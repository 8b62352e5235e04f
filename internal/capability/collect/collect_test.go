package collect_test

import (
	"bytes"
	"context"
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
		"a": {family("up", gauge, 1)},
		"b": {family("up", counter, 2), family("other", gauge, 3)},
	} {
		kind := service.Define(name, func(service.Env, struct{}) (emitting, error) { return in, nil }, []byte("x"), nil)
		cfg.Services = append(cfg.Services, config.Service{Name: name, Kind: kind, Config: kind.NewConfig()})
	}
	inv := inventory.New(cfg, func(string) service.Env { return service.Env{} })
	round := collect.Round{System: "shop", Targets: inv.Targets()}
	failed := round.Take(t.Context())
	var out bytes.Buffer
	if err := round.Write(&out); err != nil {
		t.Fatal(err)
	}
	if len(failed) != 1 || strings.Count(out.String(), "# TYPE up ") != 1 || !strings.Contains(out.String(), `other{system="shop",target="b"} 3.0`) {
		t.Errorf("failed %v\n%s", failed, &out)
	}
	for target, err := range failed {
		if !strings.Contains(err.Error(), "up is a ") {
			t.Errorf("%s: %v", target, err)
		}
	}
}
