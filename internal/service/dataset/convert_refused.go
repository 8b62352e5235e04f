package dataset

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"upkeep/internal/service"
	"upkeep/internal/tables"
	"upkeep/internal/tables/document"
)

// unconverted says why nothing is converted.
func (in *Instance) unconverted(reason string, more service.Args) error {
	args := service.Args{"reason": reason, "target": in.env.Target, "table": "", "from": "", "path": "", "n": 0, "detail": "", "key": []string{}, "tables": []string{}}
	maps.Copy(args, more)
	return &service.Fault{ID: "dataset.not-converted", Args: args, Err: fmt.Errorf("convert: %s: %w", reason, service.ErrRefused)}
}

// allowed says what the declaration, and what lies there, do not allow.
func (in *Instance) allowed(cfg Config, c conversion) error {
	a := cfg.Copies[c.Copy]
	from, onto := a.ends(c.Back)
	t := cfg.Tables[onto]
	about := service.Args{"table": onto, "from": from, "path": c.Onto.Path, "key": t.identity()}
	switch {
	case !covers(a.By, t.identity()):
		return in.unconverted("finer", about)
	case len(a.made(c.Back)) == 0:
		return in.unconverted("undeclared", about)
	case t.Document == "" && tables.FormatOf(c.Onto.Path) != tables.Parquet:
		return in.unconverted("format", about)
	case len(c.From) == 0:
		return in.unconverted("missing", service.Args{"table": onto, "from": from})
	case c.anew() && t.Document != "":
		return in.unconverted("no-document", about)
	}
	if _, err := os.Stat(filepath.Dir(in.path(c.Onto.Path))); err != nil {
		return in.unconverted("no-directory", service.Args{"table": onto, "path": filepath.Dir(c.Onto.Path)})
	}
	return in.noneWaits(cfg, a.Copy)
}

// identity are the columns that tell rows of a table apart.
func (t Table) identity() []string {
	if t.Document == "" {
		return t.Key
	}
	rows, err := document.ParsePattern(t.Rows)
	if err != nil {
		return t.Key
	}
	return rows.Captures()
}

func covers(by, key []string) bool {
	return !slices.ContainsFunc(key, func(column string) bool { return !slices.Contains(by, column) })
}

// noneWaits refuses while increments of the copy wait: their rows are in neither table. A
// copy that is not there holds none, and no merge can take them in before it is.
func (in *Instance) noneWaits(cfg Config, table string) error {
	t := cfg.Tables[table]
	files, err := in.find(t.Files)
	if err != nil || len(files) == 0 || len(t.Increments.Files) == 0 {
		return err
	}
	waiting, err := in.unmerged(t, files)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return in.unconverted("increments", service.Args{"table": table, "n": len(waiting), "path": in.within(waiting[0]), "detail": in.within(files[0])})
}
