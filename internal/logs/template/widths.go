package template

// widths finds values of several words: where "user X logged in" has a variable,
// "user John F. Smith logged in" is the same form.
func (j *joiner) widths() {
	holes := map[uint64]*form{}
	for _, f := range j.forms {
		if !j.made[f] || f.open {
			continue
		}
		for i, w := range f.words {
			if w == 0 && constants(f, i) >= 2 {
				holes[j.around(f, i, 1)] = f
			}
		}
	}
	if len(holes) == 0 {
		return
	}
	for _, f := range j.forms {
		if hole := j.widerThan(holes, f); hole != nil {
			j.into(hole, f)
		}
	}
	j.sweep()
}

// maxWidth is how many words a value may have.
const maxWidth = 4

func (j *joiner) widerThan(holes map[uint64]*form, f *form) *form {
	if f.open || j.made[f] {
		return nil
	}
	for width := 2; width <= maxWidth; width++ {
		for i := 0; i+width <= len(f.words); i++ {
			hole := holes[j.around(f, i, width)]
			if hole != nil && hole != f && hole.words != nil && j.isValue(f, i, width) {
				return hole
			}
		}
	}
	return nil
}

// around hashes what stands before and behind some words.
func (j *joiner) around(f *form, from, width int) uint64 {
	h := startHash(f.gaps, f.words, from, j.words)
	h = step(h, gapHash(j.words.text[f.gaps[from]]), variableHash)
	return h ^ startHash(f.gaps[from+width:], f.words[from+width:], len(f.words)-from-width, j.words)*variableHash
}

// isValue says whether some words can be one value: nothing but blanks and commas
// between, and none that tells what happened.
func (j *joiner) isValue(f *form, from, width int) bool {
	for i := from; i < from+width; i++ {
		if i > from && !isSoft(j.words.text[f.gaps[i]]) {
			return false
		}
		if isState(j.words.text[f.words[i]]) {
			return false
		}
	}
	return true
}

// Free text behind a fixed start, as in "error: ...", is one form from so many
// different next words on, when its forms are rare.
const (
	manyTails = 40
	rareTail  = 4 // messages per form, at most
)

// tails makes forms that share only their start one open form.
func (j *joiner) tails() {
	starts := map[uint64][]*form{}
	next := map[uint64]map[uint32]bool{}
	for _, f := range j.forms {
		if f.open {
			continue
		}
		for n := 2; n < len(f.words); n++ {
			h := startHash(f.gaps, f.words, n, j.words)
			starts[h] = append(starts[h], f)
			if next[h] == nil {
				next[h] = map[uint32]bool{}
			}
			next[h][f.words[n]] = true
		}
	}
	for _, f := range j.forms {
		j.tail(f, starts, next)
	}
	j.sweep()
}

func (j *joiner) tail(f *form, starts map[uint64][]*form, next map[uint64]map[uint32]bool) {
	for n := len(f.words) - 1; n >= 2; n-- {
		h := startHash(f.gaps, f.words, n, j.words)
		if len(next[h]) < manyTails || constantStart(f, n) < 2 || !rare(starts[h]) {
			continue
		}
		for _, g := range starts[h] {
			if g != f && g.words != nil && !g.open {
				j.into(f, g)
			}
		}
		f.words, f.gaps, f.open = f.words[:n], f.gaps[:n], true
		return
	}
}

func constantStart(f *form, n int) int {
	words := 0
	for _, w := range f.words[:n] {
		if w != 0 {
			words++
		}
	}
	return words
}

func rare(forms []*form) bool {
	var messages int64
	for _, f := range forms {
		messages += f.count
	}
	return messages <= rareTail*int64(len(forms))
}
