package files

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/glob"
	"upkeep/internal/service"
)

// selection says which parts a restore is about.
type selection struct {
	all      bool
	patterns []string // of names without a trailing slash
}

// selectionOf reads Only as an absolute path, as one below the declaration's
// directory and as one below any declared directory, whichever exists. A directory
// stands for everything in it.
func (in *Instance) selectionOf(sel service.Selection) (selection, error) {
	if sel.All() {
		return selection{all: true}, nil
	}
	only := strings.TrimSuffix(sel.Only, "/")
	s := selection{}
	if filepath.IsAbs(only) {
		s.patterns = []string{filepath.Clean(only)[1:]}
	} else {
		s.patterns = append(s.patterns, strings.TrimPrefix(glob.Absolute(glob.Escape(in.env.Base), only), "/"))
		for _, base := range in.bases {
			s.patterns = append(s.patterns, strings.TrimPrefix(base+"/"+only, "/"))
		}
	}
	for _, pattern := range s.patterns {
		if !doublestar.ValidatePattern(pattern) {
			return s, &service.Fault{ID: "files.bad-selection", Args: service.Args{"only": sel.Only},
				Err: badSelection(sel.Only)}
		}
	}
	return s, nil
}

// has reports whether the part of that name is selected.
func (s *selection) has(name string) bool {
	if s.all {
		return true
	}
	name = strings.TrimSuffix(name, "/")
	for _, pattern := range s.patterns {
		if name == pattern || strings.HasPrefix(name, pattern+"/") || doublestar.MatchUnvalidated(pattern+"/**", name) {
			return true
		}
	}
	return false
}

func badSelection(only string) error {
	return fmt.Errorf("selection %q is no pattern: %w", only, service.ErrUnsupported)
}
