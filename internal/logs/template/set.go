package template

// Set holds patterns that messages and other patterns are compared with: the
// noise that people have accepted. It counts nothing.
type Set struct{ miner *Miner }

// NewSet returns the set of these patterns.
func NewSet(patterns ...string) *Set { return &Set{New(Options{}, patterns...)} }

// Contains says whether a message, or the pattern of a template, is one that the
// set has. A pattern that is more general than those of the set is not.
func (s *Set) Contains(text string) bool {
	line := []byte(text)
	tokens := s.miner.scan.scan(line)
	if s.miner.byHash[hashTokens(tokens)] != nil {
		return true
	}
	return s.miner.general.match(s.miner.scan.line, tokens, s.miner.words) != nil
}
