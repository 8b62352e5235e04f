package redis

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"

	"upkeep/internal/service"
)

func TestSamplesHaveTheNamesOfTheStockExporter(t *testing.T) {
	var said lockedBuffer
	previous := logrus.StandardLogger().Out
	logrus.SetOutput(&said)
	t.Cleanup(func() { logrus.SetOutput(previous) })
	s := start(t, "hush-hush-password")
	seed(t, s)
	in := declare(t, s, func(_ *Config, e *service.Env) { e.Log = slog.New(slog.NewTextHandler(&said, nil)) })
	collect := func() (map[string]*dto.MetricFamily, error) {
		got := map[string]*dto.MetricFamily{}
		err := in.Collect(t.Context(), func(f *dto.MetricFamily) { got[f.GetName()] = f })
		return got, err
	}
	got, err := collect()
	must(t, err)
	for _, name := range []string{"redis_up", "redis_memory_used_bytes", "redis_connected_clients", "redis_db_keys", "redis_evicted_keys_total", "redis_uptime_in_seconds"} {
		if got[name] == nil {
			t.Errorf("%s is missing among %v", name, slices.Sorted(maps.Keys(got)))
		}
	}
	if got["redis_up"].Metric[0].GetGauge().GetValue() != 1 {
		t.Error("redis_up is not 1")
	}
	must(t, s.Stop())
	got, err = collect()
	if !errors.Is(err, service.ErrUnreachable) || got["redis_up"].Metric[0].GetGauge().GetValue() != 0 {
		t.Errorf("of a stopped server: %v, %v", got["redis_up"], err)
	}
	if strings.Contains(said.String(), s.Password) || strings.Contains(fmt.Sprint(err), s.Password) {
		t.Errorf("the password was logged: %s", said.String())
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
