package neo4j

import (
	"fmt"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// hash is the digest of one record's content.
type hash = xxh3.Uint128

// sum counts records and adds their hashes modulo 2^128, so that their order, which
// the server does not promise, makes no difference. A sum and not an XOR: that would
// hide pairs of equal records.
type sum struct {
	count  int64
	hi, lo uint64
}

func (s *sum) add(h hash) { s.merge(sum{1, h.Hi, h.Lo}) }

func (s *sum) merge(o sum) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, o.lo, 0)
	s.hi, _ = bits.Add64(s.hi, o.hi, carry)
	s.count += o.count
}

func (s *sum) String() string { return fmt.Sprintf("%016x%016x", s.hi, s.lo) }

// sums are those of several sorts of records, by the names of manifest entries.
type sums map[string]*sum

func (s sums) add(name string, h hash) { s.of(name).add(h) }

func (s sums) of(name string) *sum {
	if s[name] == nil {
		s[name] = &sum{}
	}
	return s[name]
}

func (s sums) merge(o sums) {
	for name, one := range o {
		s.of(name).merge(*one)
	}
}

// hashRelationship covers the content of both ends, because numbers of nodes change
// when a copy is put back. Nodes of equal content can be told apart by nobody.
func hashRelationship(content []byte, start, end hash) hash {
	h := xxh3.New()
	_, _ = h.Write(content) // a hash takes everything
	for _, one := range []hash{start, end} {
		b := one.Bytes()
		_, _ = h.Write(b[:])
	}
	return h.Sum128()
}
