package dataset

import (
	"sync"

	"upkeep/internal/tables/footer"
)

// mostFooters bounds those that are kept: increments come and go.
const mostFooters = 1000

// footers are what Parquet files said of themselves, by path, as long as they are the
// files that said it: the footer of a large file is thousands of column chunks.
type footers struct {
	mu    sync.Mutex
	known map[string]footerOf
}

type footerOf struct {
	state
	footer.Footer
}

// footer reads that of a file, if it is another one than before.
func (in *Instance) footer(path string) (footer.Footer, error) {
	is, err := stateOf(path)
	if err != nil {
		return footer.Read(path) // which says what is wrong in its own words
	}
	in.footers.mu.Lock()
	last, known := in.footers.known[path]
	in.footers.mu.Unlock()
	if known && last.state == is {
		return last.Footer, nil
	}
	f, err := footer.Read(path)
	if err == nil {
		in.footers.keep(path, footerOf{is, f})
	}
	return f, err
}

func (f *footers) keep(path string, of footerOf) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known == nil || len(f.known) >= mostFooters {
		f.known = map[string]footerOf{}
	}
	f.known[path] = of
}
