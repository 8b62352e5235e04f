package neo4j

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep/internal/service"
)

// Parts of a copy, in this order: the nodes of each label that have no label before
// it in the alphabet ("nodes/" are those without any), the relationships of each
// type, the constraints and indexes, and the nodes that were made while the copy was
// taken. All are lines of JSON.
const (
	nodesPrefix         = "nodes/"
	relationshipsPrefix = "relationships/"
	schemaPart          = "schema.jsonl"
	lateNodesPart       = "stragglers.jsonl"
)

// Snapshot reads the graph while it is in use. Neo4j has no view that stays still
// over several statements: the manifest says from when to when was read, and its
// counts and digests are those of the records in the copy. The nodes come first; a
// relationship whose end is not among them has that end read once more.
//
// Where nothing at all was written since the previous copy, every part has its
// identity and none is read.
//
// With copy: dump the server is stopped instead, and the copy is of that moment.
func (in *Instance) Snapshot(ctx context.Context, prev service.Previous, r service.Report) (service.Snapshot, error) {
	if in.cfg.Copy == dumped {
		return in.snapshotDump(ctx)
	}
	return in.snapshotOnline(ctx, prev, r)
}

func (in *Instance) snapshotOnline(ctx context.Context, prev service.Previous, r service.Report) (service.Snapshot, error) {
	l, err := in.connect(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{in: in, link: l, report: r, read: map[string]partSums{}}
	if err := s.open(ctx, prev); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

type snapshot struct {
	in     *Instance
	link   *link
	report service.Report
	nodes  *table // content of each copied node, by its number

	state          state
	identity       string
	version        string
	schema         schema
	labels, types  []string
	prev           *service.Manifest // of a copy since which nothing was written
	expected, done int64             // records

	nodesRead, relationshipsRead *gate

	mu       sync.Mutex
	read     map[string]partSums // by part, once it was read to its end
	late     []byte              // lines of nodes made meanwhile
	lateSums sums
	lost     int64 // relationships that ended meanwhile
}

// gate opens when so many parts are read. Whoever stores parts takes them in order,
// so those before a gate are being read when somebody waits at it.
type gate struct {
	left int
	open chan struct{}
}

func newGate(parts int) *gate {
	g := &gate{left: parts, open: make(chan struct{})}
	if parts == 0 {
		close(g.open)
	}
	return g
}

func (g *gate) pass() {
	if g.left--; g.left == 0 {
		close(g.open)
	}
}

func (g *gate) wait(ctx context.Context) error {
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the parts before this one: %w", ctx.Err())
	}
}

// partSums is what one part holds.
type partSums struct {
	sums sums
	raw  string // digest of the bytes
}

// lateLimit bounds the nodes that are made while a copy is taken, in bytes of
// memory. A graph that grows faster is asked again at a quieter time.
const lateLimit = 32 << 20

func (s *snapshot) open(ctx context.Context, prev service.Previous) (err error) {
	if s.nodes, err = newTable(s.in.env); err != nil {
		return err
	}
	if s.state, err = s.link.state(ctx); err != nil {
		return err
	}
	if s.identity, err = s.link.identity(ctx); err != nil {
		return err
	}
	about, err := s.link.server(ctx)
	if err != nil {
		return err
	}
	s.version = about.version
	if s.schema, err = s.link.schema(ctx); err != nil {
		return err
	}
	if s.labels, err = s.link.labels(ctx); err != nil {
		return fmt.Errorf("list labels: %w", err)
	}
	if s.types, err = s.link.types(ctx); err != nil {
		return fmt.Errorf("list relationship types: %w", err)
	}
	slices.Sort(s.labels)
	slices.Sort(s.types)
	s.nodesRead, s.relationshipsRead = newGate(len(s.labels)+1), newGate(len(s.types))
	return errors.Join(s.expect(ctx), s.compare(ctx, prev))
}

// expect asks the count store how far there is to go.
func (s *snapshot) expect(ctx context.Context) error {
	for _, count := range []string{countNodes, countRelationships} {
		n, err := s.link.number(ctx, count, nil)
		if err != nil {
			return err
		}
		s.expected += n
	}
	return nil
}

// compare keeps the previous manifest if it is of the very state that is there.
func (s *snapshot) compare(ctx context.Context, prev service.Previous) error {
	old, err := prev(ctx)
	if err != nil || old == nil || s.state.mark == "" {
		return err
	}
	if m := old.Manifest(); m.Attrs[attrMark] == s.state.mark && m.Attrs[attrFormat] == format {
		s.prev = &m
	}
	return nil
}

// Parts lists what there is to read.
func (s *snapshot) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, p := range s.parts() {
			if err := ctx.Err(); err != nil {
				yield(service.Part{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (s *snapshot) parts() (parts []service.Part) {
	add := func(name string, open func(ctx context.Context, name string) (source, error)) {
		parts = append(parts, service.Part{Name: name, Size: -1, Identity: s.state.mark, Open: s.opener(name, open)})
	}
	add(nodesPrefix, s.nodeSource(unlabelled, nil))
	for _, label := range s.labels {
		add(nodesPrefix+label, s.nodeSource(labelled(label), map[string]any{"label": label}))
	}
	for _, kind := range s.types {
		add(relationshipsPrefix+kind, s.relationshipSource(kind))
	}
	add(schemaPart, s.schemaSource)
	add(lateNodesPart, s.lateSource)
	return parts
}

const unlabelled = "MATCH (n) WHERE size(labels(n)) = 0 RETURN n"

// labelled gives each node to one label only.
func labelled(label string) string {
	return "MATCH (n:" + quote(label) + ") WHERE none(other IN labels(n) WHERE other < $label) RETURN n"
}

// finished takes the account of a part that was read to its end.
func (s *snapshot) finished(name string, p partSums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, again := s.read[name]
	s.read[name] = p
	switch {
	case again:
	case strings.HasPrefix(name, nodesPrefix):
		s.nodesRead.pass()
	case strings.HasPrefix(name, relationshipsPrefix):
		s.relationshipsRead.pass()
	}
}

// Close may be called again.
func (s *snapshot) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := s.link.close(ctx)
	if s.nodes != nil {
		err = errors.Join(err, s.nodes.close())
	}
	return err
}

// opener makes the reader of one part.
func (s *snapshot) opener(name string, open func(context.Context, string) (source, error)) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) {
		from, err := open(ctx, name)
		if err != nil {
			return nil, err
		}
		return newLines(ctx, s, name, from), nil
	}
}
