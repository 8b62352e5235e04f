package template

// general finds forms with variables in places where the message at hand has a
// word, which its hash cannot find.
type general struct {
	byGaps  map[uint64][]*form // same gaps, same number of words
	byStart map[uint64]*form   // open forms by what they start with
}

func (g *general) add(f *form, v *vocabulary) {
	if f.open {
		if g.byStart == nil {
			g.byStart = map[uint64]*form{}
		}
		g.byStart[startHash(f.gaps, f.words, len(f.words), v)] = f
		return
	}
	if !hasHole(f) {
		return
	}
	if g.byGaps == nil {
		g.byGaps = map[uint64][]*form{}
	}
	key := gapsHash(f.gaps, v)
	g.byGaps[key] = append(g.byGaps[key], f)
}

func hasHole(f *form) bool {
	for _, w := range f.words {
		if w == 0 {
			return true
		}
	}
	return false
}

func gapsHash(gaps []uint32, v *vocabulary) uint64 {
	h := uint64(hashStart)
	for _, g := range gaps {
		h = (h ^ v.gap[g]) * hashPrime
	}
	return h
}

// gapHash hashes as the scanner does: a mark that repeats counts
// once, a wide one as its narrow form.
func gapHash(b []byte) uint64 {
	h, last := uint64(hashStart), byte(0)
	for len(b) > 0 {
		c, n := markAt(b)
		if c != last {
			h = (h ^ uint64(c)) * hashPrime
		}
		last, b = c, b[n:]
	}
	return h
}

func startHash(gaps, words []uint32, n int, v *vocabulary) uint64 {
	h := uint64(hashStart)
	for i := range n {
		h = step(h, v.gap[gaps[i]], v.word[words[i]])
	}
	return h
}

func step(h, gap, word uint64) uint64 {
	h = (h ^ gap) * hashPrime
	return (h ^ h>>29 ^ word) * hashPrime
}

// match returns the form with the fewest variables that takes the message in.
func (g *general) match(line []byte, tokens []token, v *vocabulary) *form {
	if g.byGaps != nil {
		if f := g.closest(line, tokens, v); f != nil {
			return f
		}
	}
	if g.byStart == nil {
		return nil
	}
	h := uint64(hashStart)
	for _, t := range tokens {
		w := t.hash
		if t.variable {
			w = variableHash
		}
		h = step(h, t.gap, w)
		if f := g.byStart[h]; f != nil {
			return f
		}
	}
	return nil
}

func (g *general) closest(line []byte, tokens []token, v *vocabulary) *form {
	key := uint64(hashStart)
	for _, t := range tokens {
		key = (key ^ t.gap) * hashPrime
	}
	var best *form
	fewest := len(tokens) + 1
	for _, f := range g.byGaps[key] {
		if n, ok := takes(f, line, tokens, v); ok && n < fewest {
			best, fewest = f, n
		}
	}
	return best
}

// takes counts the words that f has a variable for. A word that tells what happened
// is no value: whether it belongs here is for the next joining to say.
func takes(f *form, line []byte, tokens []token, v *vocabulary) (int, bool) {
	n := 0
	for i, t := range tokens {
		switch {
		case f.words[i] == 0:
			if !t.variable {
				if isState(string(line[t.start:t.end])) {
					return 0, false
				}
				n++
			}
		case t.variable || v.text[f.words[i]] != string(line[t.start:t.end]):
			return 0, false
		}
	}
	return n, true
}
