package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// undoUnite brings the file back as it was before a merge. Increments that have left since
// come back first: between the two their rows would be nowhere.
func (in *Instance) undoUnite(ctx context.Context, done json.RawMessage) ([]service.Step, error) {
	steps, err := in.undoReplace(ctx, done)
	if err != nil {
		return nil, err
	}
	var r replaced
	if err := json.Unmarshal(done, &r); err != nil {
		return nil, fmt.Errorf("read what was done: %w", err)
	}
	if now, err := stateOf(in.path(r.Path)); err != nil || now != r.Is {
		return steps, nil // it is back, or somebody else's by now: the step says so
	}
	left, err := in.leftSince(r)
	if err != nil || len(left) == 0 {
		return steps, err
	}
	moved, lacks := in.keptOf(left)
	if len(lacks) > 0 {
		return nil, &service.Fault{ID: "dataset.increments-gone", Args: service.Args{"path": r.Path, "n": len(lacks), "names": lacks[:min(mostNamed, len(lacks))], "dir": in.dir},
			Err: fmt.Errorf("take the merge into %s back without %d increments: %w", r.Path, len(lacks), service.ErrRefused)}
	}
	return slices.Concat(in.returning(moved), steps), nil
}

// leftSince are the marks of increments that the file holds, that the one before it did not,
// and that are no longer where they were.
func (in *Instance) leftSince(r replaced) (left []string, err error) {
	now, err := in.merged(seen{Path: r.Path})
	if err != nil {
		return nil, err
	}
	before, err := in.merged(seen{Path: r.Kept})
	if err != nil {
		return nil, err
	}
	for _, mark := range slices.Sorted(maps.Keys(now)) {
		if _, held := before[mark]; !held && !in.there(mark) {
			left = append(left, mark)
		}
	}
	return left, nil
}

// keptOf finds increments among the originals: from path to where they are now.
func (in *Instance) keptOf(marks []string) (moved map[string]string, lacks []string) {
	moved = map[string]string{}
	for _, mark := range marks {
		size, time, path := marked(mark)
		if kept := in.keptAs(size, time, path); kept != "" {
			moved[path] = kept
		} else {
			lacks = append(lacks, path)
		}
	}
	return moved, lacks
}

// marked takes apart what mark has put together.
func marked(mark string) (size, time int64, path string) {
	parts := strings.SplitN(mark, " ", 3)
	if len(parts) < 3 {
		return 0, 0, mark
	}
	size, wrong := strconv.ParseInt(parts[0], 10, 64)
	time, wrong2 := strconv.ParseInt(parts[1], 10, 64)
	if errors.Join(wrong, wrong2) != nil {
		return 0, 0, mark
	}
	return size, time, parts[2]
}

// keptAs finds the original of a path that has this size and time.
func (in *Instance) keptAs(size, time int64, path string) string {
	entries, err := os.ReadDir(in.path(keptIn))
	if err != nil {
		return ""
	}
	dashed := "-" + strings.ReplaceAll(path, string(filepath.Separator), "-")
	for _, e := range entries {
		kept := filepath.Join(keptIn, e.Name())
		if is, err := stateOf(in.path(kept)); err == nil && is.Size == size && is.Time == time && strings.HasSuffix(e.Name(), dashed) {
			return kept
		}
	}
	return ""
}
