package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/service"
)

// Keep says how long archived days stay. The zero value keeps all.
type Keep struct {
	Age   time.Duration // since the end of a day; 0 = for good
	Bytes int64         // of one target's archive; beyond it the oldest days go; 0 = without limit
}

// archivedDay is one day of an archive.
type archivedDay struct {
	day   string
	bytes int64
	// whole says that every byte on the disk was read back when it was archived. What
	// a killed run has left behind was not, and may be the only copy.
	whole bool
}

// expire removes the days that need not be kept. That of now stays, and so does one
// that holds what was never read back.
func (a *Archive) expire(ctx context.Context, keep Keep, now time.Time, v *service.Verdict) error {
	if err := a.endExpiring(ctx); err != nil {
		return err
	}
	days, err := a.days(ctx)
	if err != nil {
		return err
	}
	var total, freed int64
	for _, d := range days {
		total += d.bytes
	}
	gone := []string{}
	for _, d := range days {
		due := keep.outlived(d.day, now) || keep.Bytes > 0 && total > keep.Bytes
		switch {
		case !due || d.day >= now.Format(time.DateOnly):
		case !d.whole:
			v.Warn("logs.day-not-read-back", d.day, service.Args{"day": d.day, "dir": filepath.Join(a.dir, d.day)})
		default:
			gone, freed, total = append(gone, d.day), freed+d.bytes, total-d.bytes
		}
	}
	v.Set("archive_bytes", total)
	v.Set("expired_days", len(gone))
	v.Set("expired_bytes", freed)
	if len(gone) == 0 {
		return nil
	}
	return errors.Join(a.beginExpiring(ctx, gone), a.endExpiring(ctx))
}

func (k Keep) outlived(day string, now time.Time) bool {
	began, err := time.ParseInLocation(time.DateOnly, day, now.Location())
	return err == nil && k.Age > 0 && now.Sub(began.AddDate(0, 0, 1)) >= k.Age
}

// days lists the days of the archive, the oldest first.
func (a *Archive) days(ctx context.Context) ([]archivedDay, error) {
	files, err := a.files(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	counted := map[string]map[string]int64{} // length by path, by day
	for _, f := range files {
		if counted[f.day] == nil {
			counted[f.day] = map[string]int64{}
		}
		counted[f.day][a.file(f.day, f.stream)] = f.length
	}
	dirs, err := filepath.Glob(filepath.Join(a.dir, "????-??-??"))
	if err != nil {
		return nil, err
	}
	var days []archivedDay
	for _, dir := range dirs { // Glob sorts, and so do days
		d, err := dayIn(dir, counted[filepath.Base(dir)])
		if err != nil {
			return nil, fmt.Errorf("look at the archive of %s: %w", filepath.Base(dir), err)
		}
		days = append(days, d)
	}
	return days, nil
}

func dayIn(dir string, counted map[string]int64) (archivedDay, error) {
	d := archivedDay{day: filepath.Base(dir), whole: true}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return d, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return d, err
		}
		length, known := counted[filepath.Join(dir, e.Name())]
		d.bytes += info.Size()
		d.whole = d.whole && known && length == info.Size()
	}
	return d, nil
}

// keyExpiring is under which the days are kept whose files are being removed: a run
// that is killed meanwhile leaves the rest to the next.
const keyExpiring = "expiring"

// beginExpiring takes days out of the index, so that no search looks for them.
func (a *Archive) beginExpiring(ctx context.Context, days []string) (err error) {
	tx, err := a.index.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("expire archived days: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("expire archived days: %w", err), tx.Rollback())
		}
	}()
	text, err := json.Marshal(days)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO kept (key, value) VALUES (?, ?)", keyExpiring, string(text)); err != nil {
		return err
	}
	for _, day := range days {
		if _, err := tx.ExecContext(ctx, "DELETE FROM file WHERE day = ?", day); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (a *Archive) endExpiring(ctx context.Context) error {
	text, err := a.Recall(ctx, keyExpiring)
	if err != nil || text == "" {
		return err
	}
	var days []string
	if err := json.Unmarshal([]byte(text), &days); err != nil {
		return fmt.Errorf("read which days were expiring: %w", err)
	}
	for _, day := range days {
		if err := os.RemoveAll(filepath.Join(a.dir, day)); err != nil {
			return fmt.Errorf("remove archived day %s: %w", day, err)
		}
	}
	return a.Keep(ctx, keyExpiring, "")
}
