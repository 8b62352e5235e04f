package postgres

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/zeebo/xxh3"
)

// rowDigest counts and digests the rows of a COPY text stream. The digest is the
// sum modulo 2^128 of every row's 128-bit hash, so that the order of rows, which
// COPY does not promise, makes no difference. A sum and not an XOR: that would
// hide pairs of equal rows.
type rowDigest struct {
	rows   int64
	hi, lo uint64
	rest   []byte // of a row that has not ended yet
}

// Write takes any piece of the stream. A line feed always ends a row: inside a
// value COPY writes \n.
func (d *rowDigest) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			d.rest = append(d.rest, p...)
			break
		}
		row := p[:end+1]
		if len(d.rest) > 0 {
			d.rest = append(d.rest, row...)
			row = d.rest
		}
		d.add(row)
		d.rest, p = d.rest[:0], p[end+1:]
	}
	return n, nil
}

func (d *rowDigest) add(row []byte) {
	hash := xxh3.Hash128(row)
	var carry uint64
	d.lo, carry = bits.Add64(d.lo, hash.Lo, 0)
	d.hi, _ = bits.Add64(d.hi, hash.Hi, carry)
	d.rows++
}

// whole reports whether the stream ended with the end of a row.
func (d *rowDigest) whole() bool { return len(d.rest) == 0 }

// sum is the digest in 32 hexadecimal digits; of no rows it is all zeros.
func (d *rowDigest) sum() string { return fmt.Sprintf("%016x%016x", d.hi, d.lo) }
