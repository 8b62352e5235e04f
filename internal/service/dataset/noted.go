package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"upkeep/internal/service"
	"upkeep/internal/tables/footer"
)

// Keys in the footer of a table's file: what they say is replaced in the same moment as
// the rows. A writer that makes the file anew leaves them out, and what it holds by then is
// not known any more.
const (
	mergedNote = "upkeep.merged" // the increments that it holds, by mark, with the time of the merge in seconds
	madeNote   = "upkeep.made"   // the step that made it, and what it replaced
)

// made is what a file says of the step that made it: one that is done again finds its
// work done.
type made struct {
	Step string `json:"step"`
	Was  state  `json:"was"` // of the file that it replaced
}

// madeOf reads that; false where the file is nobody's of us.
func (in *Instance) madeOf(path string) (of made, is bool) {
	f, err := footer.Read(path)
	if err != nil || f.Notes[madeNote] == "" {
		return of, false
	}
	return of, json.Unmarshal([]byte(f.Notes[madeNote]), &of) == nil
}

// merged are the marks of the increments that a file says it holds, with when it took them
// in.
func (in *Instance) merged(main seen) (marks map[string]int64, err error) {
	f, err := in.footer(in.path(main.Path))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrDamaged)
	}
	marks = map[string]int64{}
	if f.Notes[mergedNote] == "" {
		return marks, nil
	}
	if err := json.Unmarshal([]byte(f.Notes[mergedNote]), &marks); err != nil {
		return nil, fmt.Errorf("read which increments %s holds: %w", main.Path, err)
	}
	return marks, nil
}

// notes are those of the file, with the increments that it will hold and the step that
// made it. What describes the columns of an Arrow writer is left out: the file has another
// writer now.
func (in *Instance) notes(w uniting, step string) (map[string]string, error) {
	f, err := footer.Read(in.path(w.Main.Path))
	if err != nil {
		return nil, err
	}
	delete(f.Notes, "ARROW:schema")
	marks, err := in.merged(w.Main)
	if err != nil {
		return nil, err
	}
	for mark := range marks {
		if !in.there(mark) {
			delete(marks, mark)
		}
	}
	for _, s := range w.Increments {
		marks[s.mark()] = in.env.Now().Unix()
	}
	merged, err := json.Marshal(marks)
	own, err2 := json.Marshal(made{step, w.Main.state})
	f.Notes[mergedNote], f.Notes[madeNote] = string(merged), string(own)
	return f.Notes, errors.Join(err, err2)
}

// there reports whether an increment is still where it was when it was merged.
func (in *Instance) there(mark string) bool {
	parts := strings.SplitN(mark, " ", 3)
	s, err := in.see(in.path(parts[len(parts)-1]))
	return err == nil && s.mark() == mark
}

// leftover clears away what a killed run has left under the name of a draft: a file half
// written, or the original, which has its other name by then. Where the run was killed
// between two moves of exchange, it is what somebody saved last: that goes back to its place,
// or, where somebody has saved again since, among the originals.
func (in *Instance) leftover(path, draft string) error {
	is, err := stateOf(draft)
	if errors.Is(err, service.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	of, ours := in.madeOf(path)
	_, own := in.madeOf(draft)
	_, broken := footer.Read(draft)
	switch {
	case own, broken != nil:
		return os.Remove(draft)
	case ours && is != of.Was:
		if err := swap(draft, path); err != nil {
			return fmt.Errorf("give %s back: %w", path, err)
		}
		return os.Remove(draft)
	case in.keptState(is) != "":
		return os.Remove(draft)
	}
	if _, err := in.keep(draft); err != nil {
		return fmt.Errorf("keep what is in %s: %w", draft, err)
	}
	return os.Remove(draft)
}
