package neo4j

import (
	"bytes"
	"context"
	"io"
)

// lateSource comes after all relationships: until they are read, more nodes may
// turn up.
func (s *snapshot) lateSource(context.Context, string) (source, error) {
	var rest []byte
	started := false
	return source{next: func(ctx context.Context, b []byte, to sums) ([]byte, error) {
		if !started {
			if err := s.await(ctx, s.relationshipsRead); err != nil {
				return nil, err
			}
			s.mu.Lock()
			rest, started = s.late, true
			to.merge(s.lateSums)
			s.mu.Unlock()
		}
		line, after, more := bytes.Cut(rest, []byte("\n"))
		if !more {
			return nil, io.EOF
		}
		rest = after
		return append(b, line...), nil
	}}, nil
}
