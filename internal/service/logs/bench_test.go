package logs

import (
	"testing"

	"upkeep/internal/service/servicetest"
)

func BenchmarkHolders(b *testing.B) {
	in, err := open(servicetest.Env(b), Config{Paths: []string{"/nowhere/*.log"}})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := in.holders(b.Context(), map[node]bool{}); err != nil {
			b.Fatal(err)
		}
	}
}
