package document

// branch is what is written at the end of an object: members, and objects of any depth
// that are not there yet, in the order in which their edits come.
type branch struct {
	w      *rewriter
	object *object
	style  style
	begun  bool
	open   []string // the way to the object that is being written
	has    []bool   // whether an object of the way has members, from the one that is there
}

// begin copies all that stands before.
func (b *branch) begin() (err error) {
	if b.begun {
		return nil
	}
	b.begun = true
	if err := b.w.upTo(b.object.last.end); err != nil {
		return err
	}
	b.style, err = b.w.styleOf(b.object)
	return err
}

func (b *branch) write(text string) error {
	_, err := b.w.to.WriteString(text)
	return err
}

// depth is that of members of the object that is being written.
func (b *branch) depth() int { return b.w.dec.StackDepth() + len(b.open) }

func (b *branch) fields(all map[string]any) error {
	if len(all) == 0 {
		return nil
	}
	if err := b.begin(); err != nil {
		return err
	}
	last := len(b.has) - 1
	after := b.has[last]
	b.has[last] = true
	return b.write(b.style.members(all, after, b.depth()))
}

// grow writes what a pattern wants below the object.
func (b *branch) grow(q *queue) error {
	for {
		e, more, err := q.below()
		if err != nil {
			b.w.failed = err
			return err
		}
		if !more {
			return nil
		}
		if err := b.to(e.Below); err != nil {
			return err
		}
		if err := b.fields(e.Fields); err != nil {
			return err
		}
	}
}

// to closes and opens objects until the way is the one that is wanted.
func (b *branch) to(way []string) error {
	common := 0
	for common < len(way) && common < len(b.open) && way[common] == b.open[common] {
		common++
	}
	if err := b.back(common); err != nil {
		return err
	}
	if err := b.begin(); err != nil {
		return err
	}
	for _, key := range way[common:] {
		last := len(b.has) - 1
		text := b.style.key(key, b.has[last], b.depth()) + "{"
		b.has[last] = true
		b.open, b.has = append(b.open, key), append(b.has, false)
		if err := b.write(text); err != nil {
			return err
		}
	}
	return nil
}

// back closes objects until so many are open.
func (b *branch) back(to int) error {
	for len(b.open) > to {
		text := "}"
		if b.has[len(b.has)-1] {
			text = b.style.end(b.depth()) + text
		}
		b.open, b.has = b.open[:len(b.open)-1], b.has[:len(b.has)-1]
		if err := b.write(text); err != nil {
			return err
		}
	}
	return nil
}

// end closes all; an object that was empty gets its bracket on a line of its own.
func (b *branch) end() error {
	if err := b.back(0); err != nil || !b.begun || b.object.n > 0 {
		return err
	}
	return b.write(b.style.end(b.depth()))
}
