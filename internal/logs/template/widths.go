package template

import (
	"cmp"
	"maps"
	"slices"
)

// widths finds values of several words: where "user X logged in" has a variable,
// "user John F. Smith logged in" is the same form.
func (j *joiner) widths() {
	holes := map[uint64]*form{}
	for _, f := range j.forms {
		if !j.made[f] || f.open {
			continue
		}
		around := j.around(f)
		for i, w := range f.words {
			if w == 0 && constants(f, i) >= 2 {
				holes[around(i, 1)] = f
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
	around := j.around(f)
	for width := 2; width <= maxWidth; width++ {
		for i := 0; i+width <= len(f.words); i++ {
			hole := holes[around(i, width)]
			if hole != nil && hole != f && hole.words != nil && j.isValue(f, i, width) {
				return hole
			}
		}
	}
	return nil
}

// around returns a hash of what stands before and behind some words of f.
func (j *joiner) around(f *form) func(from, width int) uint64 {
	n := len(f.words)
	before, behind := make([]uint64, n+1), make([]uint64, n+1)
	before[0], behind[n] = hashStart, hashStart
	for i := range n {
		before[i+1] = step(before[i], j.words.gap[f.gaps[i]], j.words.word[f.words[i]])
		behind[n-i-1] = step(behind[n-i], j.words.gap[f.gaps[n-i-1]], j.words.word[f.words[n-i-1]])
	}
	return func(from, width int) uint64 {
		return step(before[from], j.words.gap[f.gaps[from]], behind[from+width])
	}
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
	var seen tally
	j.eachStart(func(_ *form, _ int, key uint64) { seen.add(key) })
	starts := map[uint64]*start{}
	j.eachStart(func(f *form, n int, key uint64) {
		if seen.of(key) < manyTails {
			return
		}
		s := starts[key]
		if s == nil {
			s = &start{words: n, next: map[uint32]bool{}}
			starts[key] = s
		}
		s.forms = append(s.forms, f)
		s.next[f.words[n]] = true
	})
	j.openStarts(starts)
	j.sweep()
}

// start is what several forms begin with.
type start struct {
	words int
	forms []*form
	next  map[uint32]bool // the words behind it
}

func (j *joiner) eachStart(do func(f *form, words int, key uint64)) {
	for _, f := range j.forms {
		if f.open {
			continue
		}
		h := uint64(hashStart)
		for n, w := range f.words {
			if n >= 2 {
				do(f, n, finish(h)*hashPrime)
			}
			h = step(h, j.words.gap[f.gaps[n]], j.words.word[w])
		}
	}
}

// openStarts takes the longest starts first: they say most.
func (j *joiner) openStarts(starts map[uint64]*start) {
	order := slices.SortedFunc(maps.Values(starts), func(a, b *start) int {
		return cmp.Or(cmp.Compare(b.words, a.words), cmp.Compare(a.forms[0].id, b.forms[0].id))
	})
	for _, s := range order {
		s.forms = slices.DeleteFunc(s.forms, func(f *form) bool { return f.words == nil || f.open })
		if len(s.next) < manyTails || len(s.forms) < manyTails || constantStart(s.forms[0], s.words) < 2 || !rare(s.forms) {
			continue
		}
		first := s.forms[0]
		for _, f := range s.forms[1:] {
			j.into(first, f)
		}
		first.words, first.gaps, first.open = first.words[:s.words], first.gaps[:s.words], true
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
