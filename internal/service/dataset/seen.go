package dataset

import "fmt"

// seen is a file as a plan has looked at it. Writers replace files by others of the same
// name, or write into them: both show.
type seen struct {
	Path string `json:"path"` // within the store
	state
}

func (in *Instance) see(path string) (seen, error) {
	s, err := stateOf(path)
	return seen{in.within(path), s}, err
}

// unchanged gives an error that wraps ErrStale where one of them is another by now.
func (in *Instance) unchanged(all ...seen) error {
	for _, s := range all {
		if now, err := stateOf(in.path(s.Path)); err != nil || now != s.state {
			return changed(s.Path, err)
		}
	}
	return nil
}

// still are those of them that have not changed.
func (in *Instance) still(all []seen) (same []seen) {
	for _, s := range all {
		if in.unchanged(s) == nil {
			same = append(same, s)
		}
	}
	return same
}

func (in *Instance) pathsOf(all []seen) (paths []string) {
	for _, s := range all {
		paths = append(paths, in.path(s.Path))
	}
	return paths
}

// mark is how a table's file names an increment. A copy that was put back has another
// inode and is the same.
func (s seen) mark() string { return fmt.Sprintf("%d %d %s", s.Size, s.Time, s.Path) }
