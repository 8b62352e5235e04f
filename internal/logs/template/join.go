package template

import (
	"cmp"
	"slices"
)

// joiner makes one form of several that one place in a program printed. It works
// on copies: messages go on being put under the forms it was made from.
type joiner struct {
	words *vocabulary
	forms []*form
	went  map[ID]ID
	made  map[*form]bool // have a variable that was found here, not by its looks
}

// joined returns the forms that messages really have, and where each ID went.
func (m *Miner) joined() *joiner {
	j := &joiner{words: m.words, forms: make([]*form, 0, len(m.forms)), went: map[ID]ID{}, made: map[*form]bool{}}
	for _, f := range m.forms {
		c := *f
		c.words, c.gaps, c.known = slices.Clone(f.words), slices.Clone(f.gaps), slices.Clone(f.known)
		j.forms = append(j.forms, &c)
	}
	j.crossed()
	j.places()
	j.lists()
	j.places()
	j.widths()
	j.tails()
	return j
}

// into makes g a part of f.
func (j *joiner) into(f, g *form) {
	kept, gone := f.id, g.id
	if gone < kept {
		kept, gone = gone, kept
	}
	j.went[gone] = kept
	f.add(g)
	g.words = nil
}

// sweep drops what became part of another form, and joins what has become equal.
func (j *joiner) sweep() {
	seen := make(map[uint64]*form, len(j.forms))
	kept := j.forms[:0]
	for _, f := range j.forms {
		if f.words == nil {
			continue
		}
		key := j.key(f)
		if same := seen[key]; same != nil {
			j.made[same] = j.made[same] || j.made[f]
			j.into(same, f)
			continue
		}
		seen[key] = f
		kept = append(kept, f)
	}
	j.forms = kept
}

func (j *joiner) key(f *form) uint64 {
	h := startHash(f.gaps, f.words, len(f.words), j.words)
	if f.open {
		h++
	}
	return h
}

// maxRounds bounds the work; each round makes at most one more variable of a form.
const maxRounds = 6

// places finds forms that differ in the word of one place and makes that place
// a variable where its words vary.
func (j *joiner) places() {
	for range maxRounds {
		before := len(j.forms)
		j.placesOnce()
		j.sweep()
		if len(j.forms) == before {
			return
		}
	}
}

// alternatives are forms that are equal but for the word at one place.
type alternatives struct {
	place int
	forms []*form
}

func (j *joiner) placesOnce() {
	touched := map[*form]bool{}
	for _, a := range j.alternatives() {
		a.forms = slices.DeleteFunc(a.forms, func(f *form) bool { return touched[f] })
		if len(a.forms) < 2 || !j.varies(a) {
			continue
		}
		first := a.forms[0]
		for _, f := range a.forms {
			touched[f] = true
		}
		first.words[a.place] = 0
		j.made[first] = true
		for _, f := range a.forms[1:] {
			j.into(first, f)
		}
	}
}

// alternatives lists the largest groups first.
func (j *joiner) alternatives() []*alternatives {
	var seen tally
	j.eachPlace(func(_ *form, _ int, key uint64) { seen.add(key) })
	byKey := map[uint64]*alternatives{}
	var all []*alternatives
	j.eachPlace(func(f *form, i int, key uint64) {
		if seen.of(key) < 2 {
			return
		}
		a := byKey[key]
		if a == nil {
			a = &alternatives{place: i}
			byKey[key] = a
			all = append(all, a)
		}
		a.forms = append(a.forms, f)
	})
	all = slices.DeleteFunc(all, func(a *alternatives) bool { return len(a.forms) < 2 })
	slices.SortStableFunc(all, func(a, b *alternatives) int { return cmp.Compare(len(b.forms), len(a.forms)) })
	return all
}

// eachPlace calls do with what a form is without the word at each of its places.
func (j *joiner) eachPlace(do func(f *form, place int, key uint64)) {
	for _, f := range j.forms {
		if f.open {
			continue
		}
		whole := sumOf(f, j.words)
		for i, w := range f.words {
			do(f, i, whole-placeHash(i, w)+placeHash(i, anyWord))
		}
	}
}

// tally counts keys roughly, never too low, up to 255: most keys occur once and
// need no place in a map.
type tally [1 << 18]uint8

func (t *tally) add(key uint64) {
	if n := &t[key>>46]; *n < 255 {
		*n++
	}
}

func (t *tally) of(key uint64) int { return int(t[key>>46]) }

const anyWord = 1<<32 - 1

// sumOf is a hash from which one place can be taken out.
func sumOf(f *form, v *vocabulary) uint64 {
	sum := gapsHash(f.gaps, v)
	for i, w := range f.words {
		sum += placeHash(i, w)
	}
	return sum
}

func placeHash(place int, word uint32) uint64 {
	h := (uint64(place)<<32 | uint64(word)) + 1
	h *= variableHash
	h ^= h >> 31
	h *= 0xbf58476d1ce4e5b9
	return h ^ h>>29
}

func (j *joiner) varies(a *alternatives) bool {
	words, numbers := j.at(a.forms, a.place)
	return constants(a.forms[0], a.place) > 0 && vary(words, j.before(a.forms[0], a.place), numbers)
}

// at lists the different words at one place, and whether some have a variable there.
func (j *joiner) at(forms []*form, place int) (words []string, numbers bool) {
	seen := map[uint32]bool{}
	for _, f := range forms {
		w := f.words[place]
		if w == 0 {
			numbers = true
		} else if !seen[w] {
			seen[w] = true
			words = append(words, j.words.text[w])
		}
	}
	return words, numbers
}

func (j *joiner) before(f *form, place int) string {
	if place == 0 {
		return ""
	}
	return j.words.text[f.words[place-1]]
}

// constants counts the words of a form other than the one at place.
func constants(f *form, place int) int {
	n := 0
	for i, w := range f.words {
		if w != 0 && i != place {
			n++
		}
	}
	return n
}

// lists joins variables that stand next to each other now.
func (j *joiner) lists() {
	for _, f := range j.forms {
		n := 0
		for i, w := range f.words {
			if w == 0 && n > 0 && f.words[n-1] == 0 && isSoft(j.words.text[f.gaps[i]]) {
				continue
			}
			f.words[n], f.gaps[n] = w, f.gaps[i]
			n++
		}
		f.words, f.gaps = f.words[:n], f.gaps[:n]
	}
	j.sweep()
}

func isSoft(gap string) bool {
	for b := []byte(gap); len(b) > 0; {
		c, n := markAt(b)
		if !soft(c) {
			return false
		}
		b = b[n:]
	}
	return true
}
