package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
)

// selection says which keys a restore is about: one key, everything below a prefix,
// or a pattern.
type selection struct{ only string }

func newSelection(sel service.Selection) (selection, error) {
	if !sel.All() && !doublestar.ValidatePattern(sel.Only) {
		return selection{}, &service.Fault{ID: "s3.bad-selection", Args: service.Args{"only": sel.Only},
			Err: fmt.Errorf("selection %q is no pattern: %w", sel.Only, service.ErrUnsupported)}
	}
	return selection{sel.Only}, nil
}

func (s selection) all() bool { return s.only == "" }

// has reports whether a key is selected.
func (s selection) has(key string) bool {
	return s.all() || key == s.only || strings.HasPrefix(key, strings.TrimSuffix(s.only, "/")+"/") ||
		doublestar.MatchUnvalidated(s.only, key) || doublestar.MatchUnvalidated(strings.TrimSuffix(s.only, "/")+"/**", key)
}

// demand fails when the copy has nothing that is selected.
func (s selection) demand(ctx context.Context, c service.Copy) error {
	if s.all() {
		return nil
	}
	for p, err := range c.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the copy: %w", err)
		}
		if s.has(keyOf(p.Name)) {
			return nil
		}
	}
	return &service.Fault{ID: "s3.nothing-selected", Args: service.Args{"only": s.only},
		Err: fmt.Errorf("the copy has nothing under %q: %w", s.only, service.ErrNotFound)}
}
