// Package template groups log messages by the form that printed them. It reads a
// stream of any length in bounded memory and with one setting for all kinds of
// logs. It knows nothing of time stamps and levels: package record takes those off
// first. docs/decisions/0006-log-templates.md tells how it decides and how often
// it is right.
package template

import (
	"strings"
	"time"
)

// Hole stands for a variable in the text of a template.
const Hole = "<*>"

// OtherPattern is the text of the template that counts what was too rare to keep.
const OtherPattern = "<*> <*>"

// Template is one form of messages.
type Template struct {
	// Pattern is the text with Hole for every variable. Reading it as a message
	// gives the same form again.
	Pattern string    `json:"pattern"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"` // smallest time seen, not the first in the stream
	Last    time.Time `json:"last"`
	Sample  string    `json:"sample"` // one message of it, cut to maxSample bytes
	// Known are the patterns given to New that are this form now; it may have become
	// more general. None: no earlier run had it.
	Known []string `json:"-"`
}

const maxSample = 512

// form is a template while it is being found: words between gaps.
type form struct {
	id    ID
	words []uint32 // 0 is a variable
	gaps  []uint32
	tail  uint32 // the marks behind the last word, which do not count
	open  bool   // any words may follow
	count int64
	first int64 // nanoseconds since 1970; 0 when no message had a time
	last  int64

	sample string
	known  []string
}

// vocabulary numbers the words and gaps of the living forms.
type vocabulary struct {
	number map[string]uint32
	text   []string
	word   []uint64 // hash of the text as a word
	gap    []uint64 // hash of the text as a gap
}

func newVocabulary() *vocabulary {
	return &vocabulary{number: map[string]uint32{Hole: 0}, text: []string{Hole}, word: []uint64{variableHash}, gap: []uint64{hashStart}}
}

func (v *vocabulary) of(b []byte) uint32 {
	if n, ok := v.number[string(b)]; ok {
		return n
	}
	n := uint32(len(v.text))
	v.text = append(v.text, string(b))
	v.word = append(v.word, hashOf(b))
	v.gap = append(v.gap, gapHash(b))
	v.number[v.text[n]] = n
	return n
}

// pattern writes a form as text.
func (v *vocabulary) pattern(f *form) string {
	var b strings.Builder
	for i, w := range f.words {
		b.WriteString(v.text[f.gaps[i]])
		b.WriteString(v.text[w])
	}
	if f.open {
		b.WriteString(openMark)
	} else if f.tail != 0 {
		b.WriteString(v.text[f.tail])
	}
	return b.String()
}

// foldBlanks writes a gap with single blanks, as it is hashed.
func foldBlanks(gap []byte) []byte {
	folded := make([]byte, 0, len(gap))
	for _, c := range gap {
		if classes[c] == space {
			c = ' '
		}
		if n := len(folded); c == ' ' && n > 0 && folded[n-1] == ' ' {
			continue
		}
		folded = append(folded, c)
	}
	return folded
}

// add lets f stand for g too.
func (f *form) add(g *form) {
	f.count += g.count
	if g.first != 0 && (f.first == 0 || g.first < f.first) {
		f.first = g.first
	}
	f.last = max(f.last, g.last)
	if g.sample != "" && (g.id < f.id || f.sample == "") {
		f.sample = g.sample
	}
	f.id = min(f.id, g.id)
	f.known = append(f.known, g.known...)
}

func (f *form) template(v *vocabulary) Template {
	return Template{Pattern: v.pattern(f), Count: f.count, First: clock(f.first), Last: clock(f.last), Sample: f.sample, Known: f.known}
}

func clock(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds).UTC()
}
