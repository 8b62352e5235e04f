package logs

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

const benchLine = "2026-11-25T02:00:00Z level=info msg=\"a request\" path=/api/v1/things took=12ms\n"

func bench(b *testing.B, cfg Config) *Instance {
	b.Helper()
	in, err := open(servicetest.Env(b), cfg)
	if err != nil {
		b.Fatal(err)
	}
	return in
}

// big writes a log of about so many bytes and returns its length.
func big(b *testing.B, path string, about int) (size int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat(benchLine, 1000)
	for size < int64(about) {
		n, err := f.WriteString(text)
		if err != nil {
			b.Fatal(err)
		}
		size += int64(n)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return size
}

func readAll(b *testing.B, in *Instance, from service.Cursors) (blocks int) {
	b.Helper()
	for block, err := range in.Logs(b.Context(), from) {
		if err != nil {
			b.Fatal(err)
		}
		if from != nil {
			from[block.Stream] = block.Next
		}
		blocks++
	}
	return blocks
}

func BenchmarkLogs(b *testing.B) {
	dir := b.TempDir()
	b.SetBytes(big(b, dir+"/app.log", 256<<20))
	in := bench(b, Config{Paths: []string{dir + "/*.log"}})
	b.ReportAllocs()
	for b.Loop() {
		if readAll(b, in, nil) == 0 {
			b.Fatal("nothing was read")
		}
	}
}

// BenchmarkNothingNew is the next run over 5,000 files that nobody wrote to.
func BenchmarkNothingNew(b *testing.B) {
	dir := b.TempDir()
	for i := range 5000 {
		if err := os.WriteFile(fmt.Sprintf("%s/%d.log", dir, i), []byte(benchLine), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	in, cursors := bench(b, Config{Paths: []string{dir + "/*.log"}}), service.Cursors{}
	readAll(b, in, cursors)
	for b.Loop() {
		if n := readAll(b, in, cursors); n > 0 {
			b.Fatalf("%d blocks are new", n)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	dir := b.TempDir()
	in := bench(b, Config{Paths: []string{dir + "/*.log"}, CompressAfter: 1})
	for b.Loop() {
		b.StopTimer()
		b.SetBytes(big(b, fmt.Sprintf("%s/app.log-20261125T%06d", dir, time.Now().UnixMicro()%1e6), 64<<20))
		steps, err := in.Maintenance(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		for _, s := range steps {
			if _, err := in.Do(b.Context(), s, service.Report{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkHolders looks into every process of this machine.
func BenchmarkHolders(b *testing.B) {
	in := bench(b, Config{Paths: []string{"/nowhere/*.log"}})
	for b.Loop() {
		if _, err := in.holders(b.Context(), map[node]bool{}); err != nil {
			b.Fatal(err)
		}
	}
}
