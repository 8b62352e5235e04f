package template

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

// ID names the form that a message was first put under. Forms are joined later:
// Report.Group says what became of it.
type ID uint32

// otherID is what messages of forms that were given up belong to.
const otherID ID = 0

// Options bound a Miner. The zero value is the setting for everything.
type Options struct {
	// MaxForms is how many forms are kept while reading, 8192 when 0. Beyond it
	// similar forms are joined, and when that is not enough the rarest are counted
	// under OtherPattern and forgotten.
	MaxForms int
	// Track keeps for every ID where it went, 4 bytes each without a bound. It is for
	// measuring; otherwise Report.Group knows nothing.
	Track bool
}

// Miner groups messages. One goroutine may use it.
type Miner struct {
	options Options
	scan    scanner
	words   *vocabulary
	forms   []*form
	byHash  map[uint64]*form
	general general
	recent  [recentSlots]remembered
	next    ID
	went    []ID // by ID, when tracking
	other   form
	gaveUp  int64 // forms forgotten
}

// recentSlots remembers which messages a general form took in.
const recentSlots = 1 << 12

type remembered struct {
	hash uint64
	form *form
}

// New returns a Miner that knows the given templates from an earlier run, with
// counts of zero.
func New(o Options, known ...string) *Miner {
	if o.MaxForms == 0 {
		o.MaxForms = 8192
	}
	m := &Miner{options: o, words: newVocabulary(), byHash: map[uint64]*form{}, next: 1, went: []ID{otherID}}
	m.other.id = otherID
	for _, pattern := range known {
		m.learn(pattern)
	}
	m.index()
	return m
}

// learn takes a pattern as a form that no message has shown yet.
func (m *Miner) learn(pattern string) {
	text, open := strings.CutSuffix(pattern, openMark)
	if pattern == OtherPattern {
		return
	}
	line := []byte(text)
	tokens := m.scan.scan(line)
	hash := hashTokens(tokens)
	f := m.byHash[hash]
	if f == nil || f.open != open {
		f = m.create(line, tokens, hash)
		f.open = open
	}
	f.known = append(f.known, pattern)
}

// openMark ends the pattern of a form that any words may follow.
const openMark = " ..."

// Add counts one message. at may be zero when its time is not known.
func (m *Miner) Add(message []byte, at time.Time) ID {
	var stamp int64
	if !at.IsZero() {
		stamp = at.UnixNano()
	}
	tokens := m.scan.scan(message)
	hash := hashTokens(tokens)
	f := m.byHash[hash]
	if f == nil {
		f = m.find(message, tokens, hash)
	}
	f.see(message, stamp)
	return f.id
}

func (f *form) see(message []byte, stamp int64) {
	if f.count++; f.sample == "" {
		f.sample = strings.ToValidUTF8(string(message[:min(len(message), maxSample)]), "\uFFFD")
	}
	if stamp == 0 {
		return
	}
	if f.first == 0 || stamp < f.first {
		f.first = stamp
	}
	f.last = max(f.last, stamp)
}

// hashTokens hashes the message with its variables left out. Two forms that
// share one of the 2^64 values would be counted as one; nothing else depends on it.
func hashTokens(tokens []token) uint64 {
	h := uint64(hashStart)
	for i := range tokens {
		w := tokens[i].hash
		if tokens[i].variable {
			w = variableHash
		}
		h = step(h, tokens[i].gap, w)
	}
	return finish(h)
}

func finish(h uint64) uint64 { return h ^ h>>32 }

// find looks for a general form that takes the message in, else makes a new one.
func (m *Miner) find(message []byte, tokens []token, hash uint64) *form {
	slot := &m.recent[hash%recentSlots]
	if slot.hash == hash && slot.form != nil {
		return slot.form
	}
	if f := m.general.match(m.scan.line, tokens, m.words); f != nil {
		*slot = remembered{hash, f}
		return f
	}
	if len(m.forms) >= m.options.MaxForms {
		m.compact()
		tokens = m.scan.scan(message)
	}
	return m.create(m.scan.line, tokens, hash)
}

func (m *Miner) create(line []byte, tokens []token, hash uint64) *form {
	f := &form{id: m.next, words: make([]uint32, len(tokens)), gaps: make([]uint32, len(tokens))}
	for i, t := range tokens {
		f.gaps[i] = m.words.of(foldBlanks(line[t.gapStart:t.start]))
		if !t.variable {
			f.words[i] = m.words.of(line[t.start:t.end])
		}
	}
	f.tail = m.tail(line, tokens)
	m.next++
	if m.options.Track {
		m.went = append(m.went, f.id)
	}
	m.forms = append(m.forms, f)
	m.byHash[hash] = f
	return f
}

// tail is what stands behind the last word, when that is the end of the message.
func (m *Miner) tail(line []byte, tokens []token) uint32 {
	if len(tokens) == 0 || m.scan.at < len(line) {
		return 0
	}
	if marks := foldBlanks(bytes.TrimRight(line[tokens[len(tokens)-1].end:], " \t")); len(marks) > 0 {
		return m.words.of(marks)
	}
	return 0
}

// compact joins the forms that are one, and forgets the rarest when too many are
// left, down to half so that it is not needed again at once.
func (m *Miner) compact() {
	j := m.joined()
	for from, to := range j.went {
		m.moved(from, to)
	}
	joined := j.forms
	if limit := m.options.MaxForms; len(joined) > limit*3/4 {
		slices.SortStableFunc(joined, func(a, b *form) int {
			return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(b.last, a.last), cmp.Compare(a.id, b.id))
		})
		for _, f := range joined[limit/2:] {
			m.other.add(f)
			m.moved(f.id, otherID)
			m.gaveUp++
		}
		joined = joined[:limit/2]
	}
	m.rebuild(joined)
}

// moved notes that the messages of one ID belong to another.
func (m *Miner) moved(from, to ID) {
	if m.options.Track {
		m.went[from] = to
	}
}

// rebuild starts again with these forms and only their words.
func (m *Miner) rebuild(forms []*form) {
	old := m.words
	m.words, m.forms, m.byHash = newVocabulary(), forms, make(map[uint64]*form, len(forms))
	for _, f := range forms {
		if f.tail != 0 {
			f.tail = m.words.of([]byte(old.text[f.tail]))
		}
		for i := range f.words {
			f.gaps[i] = m.words.of([]byte(old.text[f.gaps[i]]))
			f.words[i] = m.words.of([]byte(old.text[f.words[i]]))
		}
	}
	m.index()
}

// index makes the forms findable after they were changed.
func (m *Miner) index() {
	m.recent = [recentSlots]remembered{}
	m.general = general{}
	clear(m.byHash)
	for _, f := range m.forms {
		if !f.open {
			m.byHash[m.hash(f)] = f
		}
		m.general.add(f, m.words)
	}
}

// hash is what a message that shows the form hashes to.
func (m *Miner) hash(f *form) uint64 {
	return finish(startHash(f.gaps, f.words, len(f.words), m.words))
}
