package neo4j

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// source yields the lines of a part, without their ends; io.EOF after the last.
// What it counts goes into to.
type source struct {
	next  func(ctx context.Context, b []byte, to sums) ([]byte, error)
	close func(ctx context.Context)
}

// lines is the content of one part, made while it is read.
type lines struct {
	ctx  context.Context // of the one call that opened it
	of   *snapshot
	name string
	from source
	sums sums
	raw  *xxh3.Hasher
	line []byte // made and not handed out yet
	rest []byte
	done bool
}

func newLines(ctx context.Context, s *snapshot, name string, from source) *lines {
	return &lines{ctx: ctx, of: s, name: name, from: from, sums: sums{}, raw: xxh3.New()}
}

func (l *lines) Read(p []byte) (int, error) {
	for len(l.rest) == 0 {
		if err := l.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *lines) fill() error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	if l.done {
		return io.EOF
	}
	line, err := l.from.next(l.ctx, l.line[:0], l.sums)
	if errors.Is(err, io.EOF) {
		l.done = true
		l.of.finished(l.name, partSums{l.sums, hex.EncodeToString(l.raw.Sum(nil))})
		return io.EOF
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", l.name, err)
	}
	l.line = append(line, '\n')
	l.rest = l.line
	_, _ = l.raw.Write(l.line) // a hash takes everything
	l.of.progress()
	return nil
}

// Close may be called again.
func (l *lines) Close() error {
	if l.from.close != nil {
		l.from.close(l.ctx)
	}
	return nil
}

// progress counts records, times a hundred bytes each: how many bytes are to come
// nobody knows.
func (s *snapshot) progress() {
	const each = 100
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	s.report.Add(s.done*each, max(s.expected, s.done)*each)
}

// stream runs a statement whose records come as they are asked for.
func (s *snapshot) stream(ctx context.Context, cypher string, params map[string]any,
	line func(ctx context.Context, r *driver.Record, b []byte, to sums) ([]byte, error)) (source, error) {
	session := s.link.session(ctx, s.link.name, driver.AccessModeRead)
	result, err := session.Run(ctx, cypher, params)
	if err != nil {
		_ = s.link.end(ctx, session)
		return source{}, s.link.fault(ctx, "read "+s.link.name, err)
	}
	a := readAhead(ctx, result)
	next := func(ctx context.Context, b []byte, to sums) ([]byte, error) {
		for r := a.next(); r != nil; r = a.next() {
			out, err := line(ctx, r, b, to)
			if err != nil || len(out) > 0 {
				return out, err
			}
		}
		if err := result.Err(); err != nil {
			return nil, s.link.fault(ctx, "read "+s.link.name, err)
		}
		return nil, io.EOF
	}
	return source{next, func(ctx context.Context) {
		a.end()
		_ = s.link.end(ctx, session)
	}}, nil
}

func (s *snapshot) nodeSource(cypher string, params map[string]any) func(context.Context, string) (source, error) {
	return func(ctx context.Context, _ string) (source, error) {
		return s.stream(ctx, cypher, params, func(_ context.Context, r *driver.Record, b []byte, to sums) ([]byte, error) {
			n, ok := r.Values[0].(dbtype.Node)
			if !ok {
				return nil, fmt.Errorf("%T instead of a node", r.Values[0])
			}
			return s.node(n, b, to)
		})
	}
}

// node writes {"id":…,"labels":…,"properties":…}. The digest leaves out the number.
// A node that got another label while the copy was taken may turn up twice: it
// counts where it came first.
func (s *snapshot) node(n dbtype.Node, b []byte, to sums) ([]byte, error) {
	id, err := numberOf(n.ElementId)
	if err != nil {
		return nil, err
	}
	b = append(strconv.AppendInt(append(b, `{"id":`...), id, 10), ',')
	head := len(b)
	if b, err = appendNode(b, n); err != nil {
		return nil, fmt.Errorf("node %s: %w", n.ElementId, err)
	}
	b = append(b[:head], b[head+1:]...) // one object, not two
	digest := xxh3.Hash128(b[head:])
	first, err := s.nodes.claim(id, digest)
	if err != nil || !first {
		return nil, err
	}
	to.add(nodesEntry(n.Labels), digest)
	return b, nil
}

// relationshipSource waits for all nodes. In an unchanged graph they are not read
// again and their digests are not known: then the previous manifest holds.
func (s *snapshot) relationshipSource(kind string) func(context.Context, string) (source, error) {
	return func(ctx context.Context, _ string) (source, error) {
		if err := s.await(ctx, s.nodesRead); err != nil {
			return source{}, err
		}
		cypher := "MATCH (a)-[r:" + quote(kind) + "]->(b) RETURN r"
		return s.stream(ctx, cypher, nil, func(ctx context.Context, r *driver.Record, b []byte, to sums) ([]byte, error) {
			rel, ok := r.Values[0].(dbtype.Relationship)
			if !ok {
				return nil, fmt.Errorf("%T instead of a relationship", r.Values[0])
			}
			return s.relationship(ctx, rel, b, to)
		})
	}
}

// await keeps parts in order that need each other. In an unchanged graph single
// parts may be read again, and nothing else.
func (s *snapshot) await(ctx context.Context, g *gate) error {
	if s.prev != nil {
		return nil
	}
	return g.wait(ctx)
}

// relationship writes {"start":…,"end":…,"type":…,"properties":…}; nothing for one
// that has gone with its node since.
func (s *snapshot) relationship(ctx context.Context, r dbtype.Relationship, b []byte, to sums) ([]byte, error) {
	var ids [2]int64
	var ends [2]hash
	for i, element := range []string{r.StartElementId, r.EndElementId} {
		var err error
		if ids[i], err = numberOf(element); err != nil {
			return nil, err
		}
		var there bool
		if ends[i], there, err = s.end(ctx, ids[i], element); err != nil || !there {
			return nil, err
		}
	}
	b = strconv.AppendInt(append(b, `{"start":`...), ids[0], 10)
	b = append(strconv.AppendInt(append(b, `,"end":`...), ids[1], 10), ',')
	head := len(b)
	b, err := appendRelationship(b, r)
	if err != nil {
		return nil, fmt.Errorf("relationship %s: %w", r.ElementId, err)
	}
	b = append(b[:head], b[head+1:]...)
	to.add(relationshipsEntry(r.Type), hashRelationship(b[head:], ends[0], ends[1]))
	return b, nil
}

// end finds the digest of a relationship's end, and reads an end that is not among
// the copied nodes. Where there is none any more, the relationship has gone too.
func (s *snapshot) end(ctx context.Context, id int64, element string) (hash, bool, error) {
	if s.prev != nil {
		return hash{}, true, nil
	}
	if digest, there, err := s.nodes.get(id); there || err != nil {
		return digest, there, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if digest, there, err := s.nodes.get(id); there || err != nil { // read meanwhile
		return digest, there, err
	}
	if err := s.straggler(ctx, element); err != nil {
		return hash{}, false, err
	}
	digest, there, err := s.nodes.get(id)
	if err == nil && !there {
		s.lost++
	}
	return digest, there, err
}

func (s *snapshot) straggler(ctx context.Context, element string) error {
	return s.link.read(ctx, "MATCH (n) WHERE elementId(n) = $id RETURN n", map[string]any{"id": element}, func(r *driver.Record) error {
		n, ok := r.Values[0].(dbtype.Node)
		if !ok {
			return fmt.Errorf("%T instead of a node", r.Values[0])
		}
		if s.lateSums == nil {
			s.lateSums = sums{}
		}
		line, err := s.node(n, nil, s.lateSums)
		if err != nil {
			return err
		}
		if s.late = append(append(s.late, line...), '\n'); len(s.late) > lateLimit {
			return fmt.Errorf("more than %d bytes of nodes were made while the copy was taken: %w", lateLimit, service.ErrChanged)
		}
		return nil
	})
}

// schemaSource is read before the copy, by Snapshot.
func (s *snapshot) schemaSource(context.Context, string) (source, error) {
	rules := s.schema.own()
	return source{next: func(_ context.Context, b []byte, to sums) ([]byte, error) {
		if len(rules) == 0 {
			return nil, io.EOF
		}
		r := rules[0]
		rules = rules[1:]
		to.add(ruleEntry(r), xxh3.HashString128(r.definition()))
		return appendJSON(b, r)
	}}, nil
}
