package template_test

import (
	"bytes"
	"testing"
	"time"

	"upkeep/bench/corpus"
	"upkeep/internal/logs/template"
)

// BenchmarkAdd reads messages of all generated systems.
func BenchmarkAdd(b *testing.B) {
	systems, err := corpus.LogSystems()
	if err != nil {
		b.Fatal(err)
	}
	var text, groups bytes.Buffer
	if err := corpus.WriteMessages(&text, &groups, systems, 1, 240_000); err != nil {
		b.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(text.Bytes(), []byte("\n")), []byte("\n"))
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		m := template.New(template.Options{})
		for _, line := range lines {
			m.Add(line, time.Time{})
		}
	}
	b.ReportMetric(float64(len(lines))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
