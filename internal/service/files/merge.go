package files

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"upkeep/internal/service"
)

// merge walks what is there and a copy side by side, in name order and constant
// memory. visit gets a part, an entry or both where the names are equal, and the
// name of the copy's next part.
func (w *walk) merge(ctx context.Context, c service.Copy, visit func(p *service.Part, e *entry, next string) error) error {
	next, stop := iter.Pull2(c.Parts(ctx))
	defer stop()
	m := merger{next: next, visit: visit}
	if err := m.advance(); err != nil {
		return err
	}
	var failed error
	err := w.each(ctx, func(e *entry) bool {
		failed = m.entry(e)
		return failed == nil
	})
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	return m.rest()
}

type merger struct {
	next  func() (service.Part, error, bool)
	head  *service.Part // nil at the end
	visit func(*service.Part, *entry, string) error
}

// advance reads the next part and holds the copy to its order.
func (m *merger) advance() error {
	p, err, more := m.next()
	if err != nil {
		return fmt.Errorf("list the copy: %w", err)
	}
	before := m.head
	if m.head = nil; !more {
		return nil
	}
	if before != nil && p.Name <= before.Name {
		return fmt.Errorf("part %q comes after %q: %w", p.Name, before.Name, service.ErrDamaged)
	}
	m.head = &p
	return nil
}

func (m *merger) entry(e *entry) error {
	for m.head != nil && m.head.Name < e.name {
		if err := m.part(nil); err != nil {
			return err
		}
	}
	if m.head != nil && m.head.Name == e.name {
		return m.part(e)
	}
	next := ""
	if m.head != nil {
		next = m.head.Name
	}
	return m.visit(nil, e, next)
}

// part visits the head, with its entry where there is one.
func (m *merger) part(e *entry) error {
	p := m.head
	if err := m.advance(); err != nil {
		return err
	}
	return m.visit(p, e, "")
}

func (m *merger) rest() error {
	for m.head != nil {
		if err := m.part(nil); err != nil {
			return err
		}
	}
	return nil
}

// leadsTo reports whether the directory e is only on the way to the part next: it
// is not declared itself.
func leadsTo(e *entry, next string) bool { return e.isDir() && strings.HasPrefix(next, e.name) }
