package results

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/lab/results/master"
	"upkeep/lab/results/record"
)

// temp makes results not yet taken in. They are as young as the store: an old one is a fault.
func (m *maker) temp(context.Context) error {
	for n := range m.Temp {
		name, text, err := m.batch(n)
		if err != nil {
			return err
		}
		if err := m.put(text, time.Now(), tempDir, name); err != nil {
			return err
		}
	}
	return nil
}

// batch makes the content of one file of temp_results, and its name in one of two forms.
func (m *maker) batch(n int) (name string, text []byte, err error) {
	l := m.leaves[(n*83)%len(m.leaves)]
	at, pid := m.Now.Add(time.Duration(n)*time.Second), deadPID+n
	b := record.Batch{Model: deployed(l.Model, n), Timestamp: stamp(at), PID: pid, ProcessInfo: fmt.Sprintf("shard_%d", n%5)}
	for i := range int64(3) {
		label := []string{record.Full, record.Partial, record.Failed}[i]
		k := l.Key
		k.Model = b.Model
		b.Results = append(b.Results, record.New(k, label, 1_000_000+int64(n)*3+i, at))
	}
	b.ResultCount = len(b.Results)
	name = fmt.Sprintf("%s_%d_%d.json", b.Model, pid, at.UnixMicro())
	if n%4 == 3 {
		name = fmt.Sprintf("result_%08x_%d_%s.json", uint32(m.Seed)+uint32(n), n, at.Format("20060102_150405"))
	}
	text, err = master.Text(b)
	return name, text, err
}

// deployed is the name that a second deployment of a model reports.
func deployed(model string, n int) string {
	if n%2 == 1 && (model[0] == 'D' || model[0] == 'L') {
		return model + "-2"
	}
	return model
}

// config has keys in clear text, as those stores have; these open nothing.
func (m *maker) config(context.Context) error {
	text, err := json.MarshalIndent(map[string]any{
		"openai_api_key": "stand-in-key-that-opens-nothing-1", "azure_openai_api_key": "stand-in-key-that-opens-nothing-2",
		"azure_openai_endpoint": "https://benchmark.azure.invalid/", "gateway_api_keys": []string{"stand-in-key-that-opens-nothing-3", "stand-in-key-that-opens-nothing-4"},
		"gateway_base_url": "https://gateway.invalid/api/v1", "default_model": modelName(0), "max_workers": 20, "timeout": 120,
	}, "", "  ")
	if err != nil {
		return err
	}
	return m.put(text, m.Now.Add(-20*24*time.Hour), configDir, "config.json")
}
