// Package corpus builds the directory trees that the benchmarks copy. The same
// seed gives the same bytes, names and times on every machine.
package corpus

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Spec says how big a tree is. Standard is the one whose results are published.
type Spec struct {
	Seed     uint64
	Files    int
	Bytes    int64 // all files together, exactly
	Large    int   // so many of the files have LargeSize bytes
	LargeLen int64
}

// Standard is 12,400 files with 887 MB: a few large ones, the others between a
// hundred bytes and some megabytes. Three fifths of the bytes are text, the rest
// does not compress, and one small file in forty is the copy of another one.
func Standard() Spec {
	return Spec{Seed: 20261122, Files: 12400, Bytes: 887_000_000, Large: 4, LargeLen: 64 << 20}
}

// base is when the youngest file was written.
var base = time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC) // constant, as far as Go allows

// file is one file of the plan.
type file struct {
	path string // below the root
	size int64
	text bool // else it does not compress, like a picture or an archive
	seed uint64
	when time.Time
}

// Build makes the tree below dir, which must not exist yet.
func Build(dir string, s Spec) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make the corpus: %w", err)
	}
	for _, f := range plan(s) {
		if err := write(dir, f); err != nil {
			return fmt.Errorf("write %s of the corpus: %w", f.path, err)
		}
	}
	return nil
}

// plan draws names, sizes and kinds. Sizes of the small files follow a log-normal
// distribution, as those of real trees do, scaled to the wanted sum.
func plan(s Spec) []file {
	rng := rand.New(rand.NewPCG(s.Seed, 1))
	small := s.Files - s.Large
	weights, sum := make([]float64, small), 0.0
	for i := range weights {
		weights[i] = min(math.Exp(1.5*rng.NormFloat64()), 80)
		if isCopy(i) {
			weights[i] = weights[i-1]
		}
		sum += weights[i]
	}
	left := s.Bytes - int64(s.Large)*s.LargeLen
	scale := float64(left) / sum
	files := make([]file, 0, s.Files)
	for i := range s.Large {
		files = append(files, newFile(rng, fmt.Sprintf("archive/large-%02d", i), s.LargeLen, i%2 == 0))
	}
	for i, w := range weights {
		size := int64(w * scale)
		if i == small-1 {
			size = left
		}
		left -= size
		path := fmt.Sprintf("%s/%04d/%s-%05d", areas[rng.IntN(len(areas))], i/40, topics[rng.IntN(len(topics))], i)
		f := newFile(rng, path, size, rng.IntN(100) < 62)
		if isCopy(i) {
			f.text, f.seed = files[len(files)-1].text, files[len(files)-1].seed
		}
		files = append(files, f)
	}
	return files
}

// isCopy says which of the small files has the bytes of the one before it.
func isCopy(i int) bool { return i > 0 && i%40 == 0 }

func newFile(rng *rand.Rand, path string, size int64, text bool) file {
	endings := []string{".png", ".pdf", ".parquet", ".bin"}
	if text {
		endings = []string{".json", ".log", ".md", ".csv"}
	}
	age := time.Duration(rng.Int64N(int64(90 * 24 * time.Hour)))
	return file{path: path + endings[rng.IntN(len(endings))], size: size, text: text, seed: rng.Uint64(), when: base.Add(-age)}
}

func write(dir string, f file) error {
	path := filepath.Join(dir, f.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := writeContent(path, f); err != nil {
		return err
	}
	return os.Chtimes(path, f.when, f.when)
}
