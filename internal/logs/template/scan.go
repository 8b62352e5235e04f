package template

import "bytes"

// Limits of one message. What lies behind them does not take part in grouping.
const (
	maxTokens = 96
	maxBytes  = 4096
	maxQuoted = 1024 // a quote or bracket that closes later is taken as a lone mark
)

// token is a constant word or a variable, with what stands before it.
type token struct {
	gapStart, start, end int
	gap                  uint64 // hash of the marks before it, blanks folded
	hash                 uint64 // of the word; unused for a variable
	variable             bool
}

// scanner cuts one message into tokens. It is used again for the next message
// and allocates nothing.
type scanner struct {
	line   []byte
	at     int
	tokens []token

	gap      uint64
	gapStart int
	gapLast  byte // the last mark of the gap, 0 when it is empty
	gapHard  bool // the gap has a mark that never joins variables
	commas   int  // words with ", " before them
}

const (
	hashStart    = 0xcbf29ce484222325
	hashPrime    = 0x100000001b3
	variableHash = 0x9e3779b97f4a7c15
)

func (s *scanner) scan(line []byte) []token {
	s.line, s.at, s.tokens, s.commas = line[:min(len(line), maxBytes)], 0, s.tokens[:0], 0
	s.clearGap()
	for s.at < len(s.line) && len(s.tokens) < maxTokens {
		switch c := s.line[s.at]; classes[c] {
		case atom, digit:
			s.scanAtom()
		case space:
			s.mark(' ')
			s.at++
		case high:
			s.scanHigh()
		case punct:
			s.scanPunct(c)
		}
	}
	if s.commas > 0 {
		s.joinLists()
	}
	return s.tokens
}

func (s *scanner) clearGap() {
	s.gap, s.gapStart, s.gapLast, s.gapHard = hashStart, s.at, 0, false
}

// mark adds to the gap. A mark that repeats counts once, so that rulers and
// columns of any width are the same.
func (s *scanner) mark(c byte) {
	if c == s.gapLast {
		return
	}
	s.gap = (s.gap ^ uint64(c)) * hashPrime
	s.gapLast = c
	s.gapHard = s.gapHard || !soft(c)
}

func (s *scanner) push(t token) {
	t.gapStart, t.gap = s.gapStart, s.gap
	s.tokens = append(s.tokens, t)
	s.clearGap()
}

// variable adds line[start:end] as one; s.at is behind it. Next to another
// variable with nothing but soft marks between, both become one.
func (s *scanner) variable(start, end int) {
	last := len(s.tokens) - 1
	if last >= 0 && s.tokens[last].variable && !s.gapHard {
		s.tokens[last].end = end
		s.clearGap()
		return
	}
	s.push(token{start: start, end: end, variable: true})
}

// word adds line[start:end] as a constant.
func (s *scanner) word(start, end int, hash uint64) {
	text := s.line[start:end]
	if isLiteral(text) {
		s.variable(start, end)
		return
	}
	if s.gapLast == ' ' && s.gap == commaGap {
		s.commas++
	}
	s.push(token{start: start, end: end, hash: hash})
}

// commaGap is the hash of ", ".
const commaGap = uint64((((hashStart ^ ',') * hashPrime & mask64) ^ ' ') * hashPrime & mask64)

const mask64 = 1<<64 - 1

// looks is what a run of ASCII that no mark interrupts is made of.
type looks struct {
	start                                           int
	hash                                            uint64
	letters, capitals, digits, slashes, dots, signs int
	query                                           bool // a question mark behind a slash
}

// scanAtom takes such a run as a variable, a word or noise.
func (s *scanner) scanAtom() {
	l := s.look()
	switch {
	case l.query:
		s.url(l.start)
	case l.letters+l.digits == 0 && l.slashes == 0:
		s.noise(l.start)
	case l.digits > 0:
		s.number(l.start)
	case s.isValue(l):
		s.variable(l.start, s.at)
	case s.isURL():
		s.url(l.start)
	default:
		s.trimmed(l.start, l.hash)
	}
}

// look reads on to the end of the run, or to a leader of dots.
func (s *scanner) look() looks {
	l := looks{start: s.at, hash: hashStart}
	for ; s.at < len(s.line); s.at++ {
		c := s.line[s.at]
		switch classes[c] {
		case digit:
			l.digits++
		case atom:
			if c == '.' && s.at+1 < len(s.line) && s.line[s.at+1] == '.' {
				return l
			}
			l.add(c)
		default:
			return l
		}
		l.hash = (l.hash ^ uint64(c)) * hashPrime
	}
	return l
}

func (l *looks) add(c byte) {
	switch {
	case c >= 'a' && c <= 'z':
		l.letters++
	case c >= 'A' && c <= 'Z':
		l.letters++
		l.capitals++
	case c == '/' || c == '\\':
		l.slashes++
	case c == '.':
		l.dots++
	case c == '@':
		l.signs++
	case c == '?':
		l.query = l.slashes > 0
	}
}

// isValue says whether a run without digits is a value by its looks: a path, an
// address, a key.
func (s *scanner) isValue(l looks) bool {
	switch {
	case l.signs > 0, l.slashes > 0 && s.isPath(l.start, l.slashes), l.dots > 0 && s.beforeNumber():
		return true
	case l.letters >= 8 && isHex(s.line[l.start:s.at]), l.letters >= longWord && isRandom(l.letters, l.capitals):
		return true
	}
	return l.letters <= 4 && s.isPart(l.start)
}

// noise is a run of signs without a letter or digit; it separates.
func (s *scanner) noise(start int) {
	if s.at == start { // a leader of dots starts here
		for s.at < len(s.line) && s.line[s.at] == '.' {
			s.at++
		}
	}
	if run := s.line[start:s.at]; len(run) > 2 && len(bytes.Trim(run, "*")) == 0 && len(s.tokens) > 0 {
		s.variable(start, s.at) // a value that was blotted out
		return
	}
	for _, c := range s.line[start:s.at] {
		s.mark(c)
	}
}

// trimmed adds a word without the full stop that ends its sentence.
func (s *scanner) trimmed(start int, hash uint64) {
	end := s.at
	for end > start+1 && (s.line[end-1] == '.' || s.line[end-1] == '!' || s.line[end-1] == '?') {
		end--
	}
	if end != s.at {
		hash = hashOf(s.line[start:end])
	}
	s.at = end // what was trimmed becomes a gap
	s.word(start, end, hash)
}

func hashOf(b []byte) uint64 {
	h := uint64(hashStart)
	for _, c := range b {
		h = (h ^ uint64(c)) * hashPrime
	}
	return h
}

// number adds what holds a digit, with the unit behind it.
func (s *scanner) number(start int) {
	if start > 0 && (s.gapLast == '<' || s.gapLast == '>') && s.line[start-1] == s.gapLast {
		start--
		s.shortenGap(start)
	}
	end := s.at
	if s.at+1 < len(s.line) && s.line[s.at] == ' ' && isLetter(s.line[s.at+1]) {
		end = unitEnd(s.line, s.at+1)
	}
	s.at = end
	if s.inParens(start) {
		s.tokens[len(s.tokens)-1].end = end + 1
		s.at = end + 1
		s.clearGap()
		return
	}
	s.variable(start, end)
}

// shortenGap lets the gap end at end, so that "<1" and ">5" are numbers like any
// other.
func (s *scanner) shortenGap(end int) {
	from := s.gapStart
	s.clearGap()
	s.gapStart = from
	for i := from; i < end; {
		c, n := markAt(s.line[i:end])
		s.mark(c)
		i += n
	}
}

// markAt reads one mark of a gap and how many bytes it takes.
func markAt(b []byte) (byte, int) {
	switch {
	case classes[b[0]] == space:
		return ' ', 1
	case widePunct(b):
		return narrow(b), 3
	}
	return b[0], 1
}

// inParens says whether the number at start, which ends at s.at, explains the one
// before it: "1301 bytes (1.27 KB)".
func (s *scanner) inParens(start int) bool {
	last := len(s.tokens) - 1
	return last >= 0 && s.tokens[last].variable && s.gapLast == '(' && s.at < len(s.line) && s.line[s.at] == ')' &&
		start-s.tokens[last].end <= 2
}

// beforeNumber says whether a colon and a digit follow, as behind the host of an
// address and the file of a position.
func (s *scanner) beforeNumber() bool {
	return s.at+1 < len(s.line) && s.line[s.at] == ':' && classes[s.line[s.at+1]] == digit
}

// isPath tells a path from words joined by a slash, as in "read/write".
func (s *scanner) isPath(start, slashes int) bool {
	first := s.line[start]
	return slashes > 1 || first == '/' || first == '\\' || first == '.' || first == '~' ||
		bytes.IndexByte(s.line[start:s.at], '.') > 0
}

// longWord is how long a word must be to be judged by its capitals.
const longWord = 16

// isRandom tells keys and digests from words: about half of their letters are
// capitals, of a name made of words at most one in four.
func isRandom(letters, capitals int) bool {
	return capitals*10 > letters*3 && capitals*10 < letters*7
}

func isHex(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'f' {
			return false
		}
	}
	return true
}

// isPart says whether a few letters are a group of a hardware or IPv6 address.
func (s *scanner) isPart(start int) bool {
	if !isHex(s.line[start:s.at]) {
		return false
	}
	if last := len(s.tokens) - 1; last >= 0 && s.tokens[last].variable && s.gap == colonGap {
		return true
	}
	rest := s.line[s.at:]
	return s.at-start == 2 && len(rest) > 3 && rest[0] == ':' && isHexByte(rest[1]) && isHexByte(rest[2]) && rest[3] == ':'
}

func isHexByte(c byte) bool { return classes[c] == digit || c|0x20 >= 'a' && c|0x20 <= 'f' }

// colonGap is the hash of ":".
const colonGap = uint64((hashStart ^ ':') * hashPrime & mask64)

func (s *scanner) isURL() bool {
	return s.at+2 < len(s.line) && s.line[s.at] == ':' && s.line[s.at+1] == '/' && s.line[s.at+2] == '/'
}

func (s *scanner) url(start int) {
	for s.at < len(s.line) && classes[s.line[s.at]] != space && !bytes.ContainsRune([]byte("\"'<>,;)]}|"), rune(s.line[s.at])) {
		s.at++
	}
	for s.line[s.at-1] == ':' || s.line[s.at-1] == '.' {
		s.at--
	}
	s.variable(start, s.at)
}

// scanHigh takes a run of characters beyond ASCII, or one wide mark.
func (s *scanner) scanHigh() {
	if widePunct(s.line[s.at:]) {
		s.wideMark()
		return
	}
	start, hash := s.at, uint64(hashStart)
	for s.at < len(s.line) && classes[s.line[s.at]] == high && !widePunct(s.line[s.at:]) {
		hash = (hash ^ uint64(s.line[s.at])) * hashPrime
		s.at++
	}
	s.word(start, s.at, hash)
}

// wideMark takes a wide mark as its narrow form, and a wide quotation whole.
func (s *scanner) wideMark() {
	c := s.line[s.at : s.at+3]
	for _, pair := range [...][2]string{{"“", "”"}, {"「", "」"}, {"《", "》"}} {
		if string(c) == pair[0] {
			if n := bytes.Index(s.line[s.at:min(len(s.line), s.at+maxQuoted)], []byte(pair[1])); n > 0 {
				start := s.at
				s.at += n + 3
				s.variable(start, s.at)
				return
			}
		}
	}
	s.mark(narrow(c))
	s.at += 3
}

func narrow(c []byte) byte {
	switch string(c) {
	case "，", "、":
		return ','
	case "：":
		return ':'
	case "；":
		return ';'
	case "（", "【":
		return '('
	case "）", "】":
		return ')'
	}
	return c[2]
}
