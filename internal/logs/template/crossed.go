package template

import "slices"

// crossed finds variables that occur in several places at once: "user X on host
// Y" seldom shows the same X or Y twice, so no two of its forms differ in one
// place only. The forms looked at together have the same gaps and one word in
// common, first their first one, then the one that most others have too.
func (j *joiner) crossed() {
	j.crossedBy(func(f *form) (int, uint32) { return 0, f.words[0] })
	var rough tally
	j.eachAnchor(func(key uint64) { rough.add(key) })
	common := map[uint64]int{}
	j.eachAnchor(func(key uint64) {
		if rough.of(key) > 1 {
			common[key]++
		}
	})
	j.crossedBy(func(f *form) (int, uint32) {
		gaps, best, most := gapsHash(f.gaps, j.words), 0, 0
		for i, w := range f.words {
			if n := common[anchorKey(gaps, i, w)]; w != 0 && n > most {
				best, most = i, n
			}
		}
		return best, f.words[best]
	})
}

// eachAnchor calls do for every word of every form.
func (j *joiner) eachAnchor(do func(key uint64)) {
	for _, f := range j.forms {
		gaps := gapsHash(f.gaps, j.words)
		for i, w := range f.words {
			if w != 0 {
				do(anchorKey(gaps, i, w))
			}
		}
	}
}

func anchorKey(gaps uint64, place int, word uint32) uint64 {
	return (gaps ^ placeHash(place, word)) * hashPrime
}

// anchor is a word at a place between certain gaps.
type anchor struct {
	gaps  uint64
	place int
	word  uint32
}

func (j *joiner) crossedBy(choose func(*form) (int, uint32)) {
	groups := map[anchor][]*form{}
	var order []anchor
	for _, f := range j.forms {
		if f.open || len(f.words) == 0 {
			continue
		}
		k := anchor{gaps: gapsHash(f.gaps, j.words)}
		k.place, k.word = choose(f)
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], f)
	}
	for _, k := range order {
		j.split(groups[k])
	}
	j.sweep()
}

// fewCrossed is how many forms it takes to tell a pair of variables. Two are
// enough, for so few words vary only where the word before them says so.
const fewCrossed = 2

// split parts forms by the place that differs least, until the places that still
// differ all look like variables.
func (j *joiner) split(forms []*form) {
	if len(forms) < fewCrossed {
		return
	}
	places, words := differing(forms)
	if len(places) < 2 {
		return
	}
	if j.allVary(forms, places, words) {
		j.cross(forms, places)
		return
	}
	least := slices.MinFunc(places, func(a, b place) int { return a.different - b.different })
	if least.different == len(forms) {
		return
	}
	parts := map[uint32][]*form{}
	var order []uint32
	for _, f := range forms {
		w := f.words[least.at]
		if parts[w] == nil {
			order = append(order, w)
		}
		parts[w] = append(parts[w], f)
	}
	for _, w := range order {
		j.split(parts[w])
	}
}

// place is where forms differ, and in how many ways.
type place struct{ at, different int }

// differing returns the places where forms differ and how many words all share.
func differing(forms []*form) (places []place, shared int) {
	seen := map[uint32]bool{}
	for i := range forms[0].words {
		clear(seen)
		for _, f := range forms {
			seen[f.words[i]] = true
		}
		switch {
		case len(seen) > 1:
			places = append(places, place{i, len(seen)})
		case !seen[0]:
			shared++
		}
	}
	return places, shared
}

// allVary says whether nearly every form brings new words to every place that
// differs, and those words vary. At least as many words must be shared as differ.
func (j *joiner) allVary(forms []*form, places []place, shared int) bool {
	if shared < len(places) {
		return false
	}
	for _, p := range places {
		if p.different < fewCrossed || p.different*3 < len(forms) {
			return false
		}
		words, numbers := j.at(forms, p.at)
		if !vary(words, j.before(forms[0], p.at), numbers) {
			return false
		}
	}
	return true
}

func (j *joiner) cross(forms []*form, places []place) {
	first := forms[0]
	for _, p := range places {
		first.words[p.at] = 0
	}
	j.made[first] = true
	for _, f := range forms[1:] {
		j.into(first, f)
	}
}
