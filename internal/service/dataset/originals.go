package dataset

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
	"upkeep/internal/tables"
)

var _ service.Maintainer = (*Instance)(nil)

// original is a file that was kept when another one took its place, or its rows.
type original struct {
	seen
	Since     time.Time `json:"since"`
	Table     string    `json:"table"`
	Increment bool      `json:"increment,omitempty"` // of that table, else its file
}

// forgetting is what a step of opForget needs.
type forgetting struct {
	Originals []original `json:"originals"`
}

// keptName is how originals are named: maybe a number, the time, and the path with dashes.
var keptName = regexp.MustCompile(`^(?:\d+-)?(\d{8}T\d{6})-(.+)$`)

// Maintenance lists the removal of originals that are older than work can be taken back, as
// long as the store is whole and has lost nothing: else they may be what is left of it.
func (in *Instance) Maintenance(ctx context.Context) ([]service.Step, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return nil, err
	}
	due, err := in.outlived(cfg)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	if why, err := in.harmed(ctx); err != nil || why != "" {
		return []service.Step{in.keepThem(len(due), why)}, err
	}
	due, err = in.needless(ctx, cfg, due)
	if err != nil || len(due) == 0 {
		return nil, err
	}
	var bytes int64
	for _, o := range due {
		bytes += o.Size
	}
	return []service.Step{step(opForget, service.Destructive, keptIn, forgetting{due}, service.Message{ID: opForget,
		Args: service.Args{"n": len(due), "bytes": bytes, "undo": in.env.Undo.Seconds(), "oldest": due[0].Since.Format(time.RFC3339)}})}, nil
}

func (in *Instance) keepThem(n int, why string) service.Step {
	args := service.Args{"path": keptIn, "reason": "harmed", "detail": why, "left": n}
	return step(opRefuse, service.ReadOnly, keptIn, args, service.Message{ID: opRefuse, Args: args})
}

// originals lists what is kept of files that are declared, the oldest first. What somebody
// else has put there is none.
func (in *Instance) originals(cfg Config) (all []original, err error) {
	entries, err := os.ReadDir(in.path(keptIn))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("list what is kept in %s: %w", in.path(keptIn), err)
	}
	for _, e := range entries {
		parts := keptName.FindStringSubmatch(e.Name())
		if parts == nil {
			continue
		}
		since, unread := time.Parse("20060102T150405", parts[1])
		s, gone := in.see(in.path(filepath.Join(keptIn, e.Name())))
		table, increment := cfg.wasOf(parts[2])
		if unread == nil && gone == nil && table != "" {
			all = append(all, original{s, since, table, increment})
		}
	}
	slices.SortStableFunc(all, func(a, b original) int { return a.Since.Compare(b.Since) })
	return all, nil
}

// wasOf is the table to which a path with dashes belonged, "" for none.
func (c Config) wasOf(dashed string) (table string, increment bool) {
	for _, name := range slices.Sorted(maps.Keys(c.Tables)) {
		t := c.Tables[name]
		if taken(t.Files, dashed) || t.Document != "" && strings.ReplaceAll(t.Document, "/", "-") == dashed {
			return name, false
		}
		if table == "" && taken(t.Increments.Files, dashed) {
			table, increment = name, true
		}
	}
	return table, increment
}

func taken(patterns []string, dashed string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return doublestar.MatchUnvalidated(strings.ReplaceAll(path.Clean(pattern), "/", "-"), dashed)
	})
}

// outlived are originals of work that is older than it can be taken back.
func (in *Instance) outlived(cfg Config) ([]original, error) {
	all, err := in.originals(cfg)
	return slices.DeleteFunc(all, func(o original) bool { return in.env.Now().Sub(o.Since) < in.env.Undo }), err
}

// harmed is what is wrong with the store so that an original may be needed; "" is nothing.
func (in *Instance) harmed(ctx context.Context) (string, error) {
	v, err := in.judge(ctx, how{budget: -1, pages: true})
	for _, f := range v.Findings {
		switch f.ID {
		case "dataset.file-missing", "dataset.file-damaged", "dataset.document-damaged", "dataset.column-missing", "dataset.value-type",
			"dataset.total-fell", "dataset.group-fell", "dataset.group-vanished", "dataset.made-anew", "dataset.lost-anew", "dataset.not-read":
			return f.ID, nil
		}
		if f.Severity == service.Unknown {
			return f.ID, nil
		}
	}
	return "", err
}

// needless are those whose rows are in the store. Increments are proven anew, row by row:
// first all of a table at once, then each by itself.
func (in *Instance) needless(ctx context.Context, cfg Config, all []original) (needless []original, err error) {
	for name, t := range cfg.Tables {
		main, single := in.single(t)
		var increments []original
		for _, o := range all {
			switch {
			case o.Table != name:
			case o.Increment:
				increments = append(increments, o)
			case in.covered(ctx, t, o):
				needless = append(needless, o)
			}
		}
		if single {
			needless = append(needless, in.held(ctx, name, main, increments)...)
		}
	}
	slices.SortStableFunc(needless, func(a, b original) int { return a.Since.Compare(b.Since) })
	return needless, ctx.Err()
}

// single is the one Parquet file of a table.
func (in *Instance) single(t Table) (main seen, is bool) {
	files, err := in.find(t.Files)
	if err != nil || len(files) != 1 || tables.FormatOf(files[0]) != tables.Parquet {
		return main, false
	}
	main, err = in.see(files[0])
	return main, err == nil
}

// held are increments of which the table's file has every row.
func (in *Instance) held(ctx context.Context, table string, main seen, all []original) (held []original) {
	if len(all) == 0 {
		return nil
	}
	files := make([]seen, len(all))
	for i, o := range all {
		files[i] = o.seen
	}
	if in.proven(ctx, clearing{Table: table, Main: main}, files...) == nil {
		return all
	}
	for i, o := range all {
		if len(all) > 1 && in.proven(ctx, clearing{Table: table, Main: main}, files[i]) == nil {
			held = append(held, o)
		}
	}
	return held
}

// covered reports whether a table still has what a file of it had: every key, or, where
// there is none to compare, totals that have not fallen, as harmed has told.
func (in *Instance) covered(ctx context.Context, t Table, o original) bool {
	if tables.FormatOf(o.Path) != tables.Parquet || len(t.Key) == 0 {
		return len(t.Totals) > 0
	}
	files, err := in.find(t.Files)
	if err != nil || len(files) == 0 {
		return false
	}
	kept, keys := in.path(o.Path), strings.Join(t.folded(t.Key), ", ")
	db, err := tables.Open(ctx, tables.Limits{}, append(files, kept), nil)
	if err != nil {
		return false
	}
	defer func() { _ = db.Close() }() // it was only read
	row, err := db.One(ctx, "SELECT count(*) FROM (SELECT "+keys+" FROM "+tables.From(tables.Parquet, kept)+" EXCEPT SELECT "+keys+" FROM "+tables.From(tables.Parquet, files...)+")")
	return err == nil && row.Values[0] == int64(0)
}

// doForget removes them, if they are still what was planned and still needless.
func (in *Instance) doForget(ctx context.Context, s service.Step, _ service.Report) (out service.Outcome, err error) {
	f, err := argsOf[forgetting](s)
	if err != nil {
		return out, err
	}
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return out, err
	}
	if why, err := in.harmed(ctx); err != nil || why != "" {
		return out, fmt.Errorf("originals stay, the store has %s: %w: %w", why, service.ErrRefused, err)
	}
	left := slices.DeleteFunc(f.Originals, func(o original) bool { return in.unchanged(o.seen) != nil })
	if left, err = in.needless(ctx, cfg, left); err != nil {
		return out, err
	}
	var bytes int64
	for _, o := range left {
		if err := gone(in.path(o.Path)); err != nil {
			return out, fmt.Errorf("remove original %s: %w", o.Path, err)
		}
		bytes += o.Size
	}
	out.Verdict.Set("originals_removed", len(left))
	out.Verdict.Set("originals_removed_bytes", bytes)
	return out, synced(in.path(keptIn))
}

// tellKept says how much the store keeps beside its own: originals, and what is in quarantine.
func (in *Instance) tellKept(v *service.Verdict) error {
	var files, bytes int64
	err := filepath.WalkDir(in.path(keptIn), func(_ string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if info, gone := e.Info(); gone == nil {
			files, bytes = files+1, bytes+info.Size()
		}
		return nil
	})
	if files > 0 {
		v.Set("kept_files", files)
		v.Set("kept_bytes", bytes)
	}
	return err
}
