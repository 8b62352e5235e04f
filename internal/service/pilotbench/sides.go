package pilotbench

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/diag"
	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

// side is what is declared of one of the two databases: "" = it is there, or was.
type side string

// none is a side that a store does not have.
const none side = "none"

func (c *Config) validateSides(p *diag.List) {
	for key, s := range map[string]side{"json": c.JSON, "parquet": c.Parquet} {
		if s != "" && s != none {
			p.Addf(key, "must be none or left out")
		}
	}
	if c.JSON == none && c.Parquet == none {
		p.Addf("parquet", "one of json and parquet must be there")
	}
}

// there says which sides are judged. A Parquet file that never was may be made of the database:
// its table is declared, and not missed.
type there struct{ json, parquet, optional bool }

// sides tells one that a store never had from one that it lost: the first is said once,
// the other one's tables miss their file. Where neither is there, both are missed.
func (c Config) sides(ctx context.Context, m memory, dir string) (t there, found []service.Finding, err error) {
	json, parquet, err := lie(dir, c.Increments.Files)
	if err != nil {
		return t, nil, err
	}
	t = there{json: c.JSON != none, parquet: c.Parquet != none}
	if t.json && !json && parquet {
		if t.json, err = m.had(ctx, "past leaves", "past models", "past groups"); err == nil && !t.json {
			t.json, err = c.copied(dir)
		}
		if err == nil && !t.json {
			found = append(found, absent(master, "json"))
		}
	}
	if err == nil && t.parquet && !parquet && json {
		if t.parquet, err = m.had(ctx, stateOfGeneration, "past results"); err == nil && !t.parquet {
			found = append(found, absent(results, "parquet"))
			t.parquet, t.optional = true, true
		}
	}
	return t, found, err
}

func absent(path, key string) service.Finding {
	return service.Finding{ID: "pilotbench.side-missing", Severity: service.Warning, Subject: path, Args: service.Args{"path": path, "key": key}}
}

// lie reports which sides have files. Increments are of the Parquet one.
func lie(dir string, increments []string) (json, parquet bool, err error) {
	json, err = exists(filepath.Join(dir, master))
	if err != nil {
		return false, false, err
	}
	parquet, err = exists(filepath.Join(dir, results))
	for _, pattern := range increments {
		if err == nil && !parquet {
			var found []string
			found, err = doublestar.Glob(os.DirFS(dir), filepath.ToSlash(filepath.Clean(pattern)), doublestar.WithFilesOnly())
			parquet = len(found) > 0
		}
	}
	return json, parquet, err
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// stateOfGeneration is the key of the generation that the Parquet file had when its footer
// could be read.
const stateOfGeneration = "generation"

// memory is what is known of a store from earlier looks.
type memory struct {
	state service.State
	own   string // directory of the store itself; a sibling for drills lies elsewhere, and teaches nothing
}

// had reports whether something is known under one of the keys.
func (m memory) had(ctx context.Context, keys ...string) (bool, error) {
	for _, key := range keys {
		if m.state == nil {
			return false, nil
		}
		if text, err := m.state.Get(ctx, key); err != nil || text != "" {
			return true, err
		}
	}
	return false, nil
}

// generation is the one that the footer tells; of a torn file the one that it had, else the
// usual one.
func (m memory) generation(ctx context.Context, dir string) (generation, error) {
	f, err := footer.Read(filepath.Join(dir, results))
	if err == nil {
		of := generationOf(f)
		return of, m.remember(ctx, dir, of)
	}
	if m.state != nil {
		text, err := m.state.Get(ctx, stateOfGeneration)
		if _, known := generations()[generation(text)]; known || err != nil {
			return generation(text), err
		}
	}
	return usualGeneration, nil
}

func (m memory) remember(ctx context.Context, dir string, of generation) error {
	if m.state == nil || dir != m.own || of == "" {
		return nil
	}
	last, err := m.state.Get(ctx, stateOfGeneration)
	if err != nil || last == string(of) {
		return err
	}
	return m.state.Set(ctx, stateOfGeneration, string(of))
}
