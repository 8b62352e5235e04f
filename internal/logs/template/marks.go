package template

import "bytes"

// scanPunct takes a mark and, where it opens something whose inside is data, the
// inside too.
func (s *scanner) scanPunct(c byte) {
	switch {
	case c == '=' && s.keyValue(), (c == '"' || c == '\'' || c == '`') && s.quoted(c),
		(c == '[' || c == '{') && s.bracket(c), c == '<' && s.hole():
		return
	}
	s.mark(c)
	s.at++
}

// hole takes the sign for a variable in a pattern that was written before.
func (s *scanner) hole() bool {
	if !bytes.HasPrefix(s.line[s.at:], []byte(Hole)) {
		return false
	}
	start := s.at
	s.at += len(Hole)
	s.variable(start, s.at)
	return true
}

// keyValue takes what follows "key=" as one variable, also when it is empty.
func (s *scanner) keyValue() bool {
	if len(s.tokens) == 0 || s.gapLast == '=' || s.followedBy(s.at+1, "=>") {
		return false
	}
	glued := s.gapLast == 0
	s.mark('=')
	s.at++
	if s.gapBlank() && s.at+1 < len(s.line) && s.line[s.at] == ' ' && classes[s.line[s.at+1]] != space {
		s.mark(' ')
		s.at++
	}
	s.value(glued)
	return true
}

func (s *scanner) followedBy(at int, any string) bool {
	return at < len(s.line) && bytes.IndexByte([]byte(any), s.line[at]) >= 0
}

// gapBlank says whether a blank stood before the sign just taken.
func (s *scanner) gapBlank() bool { return s.at >= 2 && s.line[s.at-2] == ' ' }

// value takes one value; an empty one too where even says so.
func (s *scanner) value(even bool) {
	start := s.at
	s.at = s.valueEnd(start)
	if s.at > start || even {
		s.push(token{start: start, end: s.at, variable: true})
	}
}

func (s *scanner) valueEnd(at int) int {
	if at >= len(s.line) {
		return at
	}
	if bytes.HasPrefix(s.line[at:], []byte(Hole)) {
		return at + len(Hole)
	}
	switch c := s.line[at]; c {
	case '"', '\'':
		if n := s.closing(at, c); n > 0 {
			return n + 1
		}
	case '[', '{', '(':
		if n := s.matching(at); n > 0 {
			return n + 1
		}
	}
	for at < len(s.line) && !endsValue(s.line[at:]) {
		at++
	}
	return at
}

func endsValue(b []byte) bool {
	switch b[0] {
	case ',', ';', ')', ']', '}', '|', '"', '\'':
		return true
	}
	return classes[b[0]] == space || widePunct(b)
}

// closing finds the quote that ends what the one at from opens, or 0.
func (s *scanner) closing(from int, quote byte) int {
	rest := s.line[from+1 : min(len(s.line), from+maxQuoted)]
	for skip := 0; ; {
		n := bytes.IndexByte(rest[skip:], quote)
		if n < 0 {
			return 0
		}
		at := from + 1 + skip + n
		// An apostrophe stands inside a word.
		if s.line[at-1] != '\\' && (quote == '"' || at+1 == len(s.line) || !isAlnum(s.line[at+1])) {
			return at
		}
		skip += n + 1
	}
}

// matching finds the bracket that closes the one at from, or 0.
func (s *scanner) matching(from int) int {
	open := s.line[from]
	shut := map[byte]byte{'[': ']', '{': '}', '(': ')'}[open]
	depth := 0
	for i := from; i < min(len(s.line), from+maxQuoted); i++ {
		switch s.line[i] {
		case open:
			depth++
		case shut:
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// quoted takes a quotation: a key with its value, a request by its method, else
// one variable.
func (s *scanner) quoted(quote byte) bool {
	start := s.at
	if quote != '"' && start > 0 && isAlnum(s.line[start-1]) {
		return false
	}
	end := s.closing(start, quote)
	if end == 0 {
		return false
	}
	switch {
	case s.followedBy(end+1, ":") && end > start+1 && s.followedBy(end+2, " \"{[0123456789"):
		s.key(quote, end)
	case isMethod(s.line[start+1 : end]):
		s.request(quote, end)
	default:
		s.at = end + 1
		s.variable(start, s.at)
	}
	return true
}

// key takes "name": value.
func (s *scanner) key(quote byte, end int) {
	s.mark(quote)
	start := s.at + 1
	s.at = end
	s.word(start, end, hashOf(s.line[start:end]))
	for s.at++; s.at < len(s.line) && (s.line[s.at] == ':' || s.line[s.at] == ' '); s.at++ {
		s.mark(s.line[s.at])
	}
	s.value(false)
}

// request keeps the method, for people tell reading from writing by it.
func (s *scanner) request(quote byte, end int) {
	s.mark(quote)
	start := s.at + 1
	n := bytes.IndexByte(s.line[start:], ' ')
	s.at = start + n
	s.word(start, s.at, hashOf(s.line[start:s.at]))
	s.mark(' ')
	s.at = end + 1
	s.push(token{start: start + n + 1, end: end, variable: true})
}

// bracket takes a list or a map of data as one variable.
func (s *scanner) bracket(open byte) bool {
	end := s.matching(s.at)
	if end == 0 || len(s.tokens) == 0 && open == '{' {
		return false
	}
	inside := s.line[s.at+1 : end]
	if !isData(inside, open) {
		return false
	}
	s.mark(open)
	start := s.at + 1
	s.at = end
	s.push(token{start: start, end: end, variable: true})
	return true
}

func isData(inside []byte, open byte) bool {
	if open == '[' {
		return len(inside) == 0 || bytes.IndexByte(inside, ',') > 0 && !bytes.ContainsAny(inside, "=:")
	}
	return len(inside) == 0 || bytes.ContainsAny(inside, ",:=")
}

// joinLists makes words with nothing but commas between one variable: lists have
// any length.
func (s *scanner) joinLists() {
	kept := s.tokens[:0]
	for i := 0; i < len(s.tokens); {
		end := i + 1
		for end < len(s.tokens) && s.tokens[end].gap == commaGap {
			end++
		}
		t := s.tokens[i]
		if s.isList(i, end) {
			t.end, t.variable = s.tokens[end-1].end, true
			i = end
		} else {
			i++
		}
		kept = append(kept, t)
	}
	s.tokens = kept
}

// isList tells a list from a sentence with commas: it stands in brackets or behind
// a colon, and when it has two items only, none of them tells what happened.
func (s *scanner) isList(from, to int) bool {
	if to-from < 2 || !s.opensList(from) || !s.endsList(to) {
		return false
	}
	for _, t := range s.tokens[from:to] {
		if to-from == 2 && isState(string(s.line[t.start:t.end])) {
			return false
		}
	}
	return true
}

func (s *scanner) opensList(from int) bool {
	before := bytes.TrimRight(s.line[:s.tokens[from].start], " ")
	return from > 0 && bytes.IndexByte([]byte("([{:"), before[len(before)-1]) >= 0
}

func (s *scanner) endsList(to int) bool {
	behind := s.line[s.tokens[to-1].end:]
	return to == len(s.tokens) && s.at == len(s.line) || len(behind) > 0 && bytes.IndexByte([]byte(")]};"), behind[0]) >= 0
}
