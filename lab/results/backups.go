package results

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// copyName is a style in which copies of the database are named: stem is its name without
// .json, at a time.
type copyName func(stem, at string) string

// copies lists the styles with what they hold. No name tells whether the copy is good.
var copies = []struct {
	name copyName
	days int // before the newest result
	is   content
}{
	{func(stem, at string) string { return stem + "_backup_" + at + ".json" }, 0, same},
	{func(stem, at string) string { return stem + "_backup_before_merge_" + at + ".json" }, 1, older},
	{func(stem, at string) string { return stem + "_before_restore_" + at + ".json" }, 3, smaller},
	{func(stem, at string) string { return stem + ".backup_cleanup_" + at + ".json" }, 4, older},
	{func(stem, _ string) string { return stem + ".json.backup" }, 0, same},
	{func(stem, at string) string { return stem + ".json.backup_" + at }, 2, cut},
	{func(stem, _ string) string { return stem + ".json.backup_before_clean" }, 9, bare},
	{func(stem, _ string) string { return stem + " copy.json" }, 0, same},
	{func(stem, _ string) string { return stem + " copy 2.json" }, 2, older},
	{func(stem, _ string) string { return stem + "_cleaned.json" }, 5, smaller},
	{func(stem, _ string) string { return stem + ".backup" }, 6, empty},
	{func(stem, at string) string { return filepath.Join("backups", "backup_"+at, stem+".json") }, 8, older},
}

// content is what a copy holds.
type content int

const (
	same    content = iota // byte for byte
	older                  // the database of some days before
	smaller                // one after a loss: half of the models
	bare                   // old, without the fields that came later
	cut                    // it ends in the middle
	empty                  // no byte
)

// backups also makes two copies of a Parquet file of keys; one of tests may be large.
func (m *maker) backups(context.Context) error {
	if !m.Backups {
		return nil
	}
	if err := m.jsonCopies(); err != nil {
		return err
	}
	if m.Parquet == "none" || m.Parquet == "A" {
		return nil
	}
	text, err := os.ReadFile(m.path(parquetDir, mainFile))
	if err != nil {
		return err
	}
	at := m.Now.Add(-24 * time.Hour)
	if err := m.put(text, at, parquetDir, "test_results_backup_"+at.Format("20060102_150405")+".parquet"); err != nil {
		return err
	}
	return m.put(text, at, parquetDir, "backups", "test_results_"+at.Format("20060102_150405")+".parquet")
}

func (m *maker) jsonCopies() error {
	if m.JSON == "none" {
		return nil
	}
	name := m.databaseName()
	stem := name[:len(name)-len(".json")]
	for _, c := range copies {
		at := m.Now.Add(-time.Duration(c.days) * 24 * time.Hour)
		text, err := m.copied(c.is, at)
		if err != nil {
			return err
		}
		if err := m.put(text, at.Add(time.Minute), jsonDir, c.name(stem, at.Format("20060102_150405"))); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) copied(is content, at time.Time) ([]byte, error) {
	text, err := m.document(m.before(is, at), at)
	if is == same {
		text, err = m.document(m.leaves, m.Now)
	}
	switch is {
	case cut:
		return text[:len(text)*2/3], err
	case empty:
		return nil, err
	}
	return text, err
}

// before is what the leaves held at a time: some 10 % fewer tests for each day.
func (m *maker) before(is content, at time.Time) []leaf {
	var all []leaf
	days := int64(m.Now.Sub(at).Hours() / 24)
	for i, l := range m.leaves {
		if is == smaller && i >= len(m.leaves)/2 {
			break
		}
		l = draw(m.Shape, l.Key, max(1, l.Total*(10-min(days, 9))/10))
		l.has.older = is == bare
		if l.when.After(at) {
			l.At = stamp(at)
		}
		all = append(all, l)
	}
	return all
}
