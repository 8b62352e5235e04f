package neo4j

import (
	"context"
	"errors"
	"io"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestAnUnchangedGraphIsNotReadAgain(t *testing.T) {
	s := sharedServer(t)
	seedGraph(t, s)
	in := declare(t, s)
	first := backup(t, in, nil)
	identities := func(prev service.Copy) (same int, all int) {
		snap, err := in.Snapshot(t.Context(), func(context.Context) (service.Copy, error) { return prev, nil }, service.Report{})
		must(t, err)
		defer func() { _ = snap.Close() }()
		for p, err := range snap.Parts(t.Context()) {
			must(t, err)
			old, err := first.Part(t.Context(), p.Name)
			if all++; err == nil && p.Identity != "" && p.Identity == old.Identity {
				same++
			}
		}
		return same, all
	}
	if same, all := identities(first); same != all {
		t.Errorf("%d of %d parts are known to be unchanged", same, all)
	}
	second := backup(t, in, first)
	if a, b := first.Manifest(), second.Manifest(); a.Counts["nodes"] != b.Counts["nodes"] || len(a.Entries) != len(b.Entries) || a.Attrs["part nodes/Entity"] != b.Attrs["part nodes/Entity"] {
		t.Error("the manifest of a copy that was not read differs")
	}
	cypher(t, s, "MATCH (n:Alone {id: 1}) SET n.seen = true", nil)
	if same, _ := identities(first); same != 0 {
		t.Errorf("%d parts count as unchanged after a change", same)
	}
	third := backup(t, in, first)
	before, _ := first.Part(t.Context(), "nodes/Document")
	after, _ := third.Part(t.Context(), "nodes/Document")
	if before.SHA256 != after.SHA256 || before.SHA256 == "" {
		t.Error("the part of a label that did not change has other bytes")
	}
}

// TestOnePartIsReadAgainAlone is what a repository does that has lost one.
func TestOnePartIsReadAgainAlone(t *testing.T) {
	s := sharedServer(t)
	seedGraph(t, s)
	in := declare(t, s)
	first := backup(t, in, nil)
	snap, err := in.Snapshot(t.Context(), func(context.Context) (service.Copy, error) { return first, nil }, service.Report{})
	must(t, err)
	defer func() { _ = snap.Close() }()
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		if p.Name == "relationships/RELATION" {
			must(t, readThrough(t.Context(), p))
		}
	}
	m, err := snap.Manifest(t.Context())
	must(t, err)
	if name := attrPart + "relationships/RELATION"; m.Attrs[name] != first.Manifest().Attrs[name] {
		t.Error("the part has other bytes")
	}
	cypher(t, s, "CREATE (:Late)", nil)
	if _, err := snap.Manifest(t.Context()); !errors.Is(err, service.ErrChanged) {
		t.Errorf("a change meanwhile gives %v", err)
	}
}

// TestNodesMadeMeanwhileComeAlong writes between the parts of nodes and those of
// relationships, which is the gap that Neo4j leaves.
func TestNodesMadeMeanwhileComeAlong(t *testing.T) {
	s := sharedServer(t)
	seedGraph(t, s)
	in := declare(t, s)
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer func() { _ = snap.Close() }()
	written, late := false, ""
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		if !written && strings.HasPrefix(p.Name, relationshipsPrefix) {
			written = true
			cypher(t, s, "MATCH (e:Entity {id: 'e1'}) CREATE (e)-[:RELATION]->(:Entity {id: 'made meanwhile'})", nil)
		}
		content, err := p.Open(t.Context())
		must(t, err)
		text, err := io.ReadAll(content)
		must(t, errors.Join(err, content.Close()))
		if p.Name == lateNodesPart {
			late = string(text)
		}
	}
	if strings.Count(late, "\n") != 1 || !strings.Contains(late, "made meanwhile") {
		t.Errorf("late nodes: %q", late)
	}
	m, err := snap.Manifest(t.Context())
	must(t, err)
	if n := cypher(t, s, "MATCH (n) RETURN count(n)", nil)[0][0]; m.Counts["nodes"] != n {
		t.Errorf("the copy counts %d nodes, there are %d", m.Counts["nodes"], n)
	}
	if from, until := m.Attrs[attrFrom], m.Attrs[attrUntil]; from == "" || until <= from {
		t.Errorf("the window is from %q until %q", from, until)
	}
}

// TestARelationshipThatWentIsNamed asks for an end that nobody has: the moment
// between two records cannot be met from outside.
func TestARelationshipThatWentIsNamed(t *testing.T) {
	in := declare(t, sharedServer(t))
	snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
	must(t, err)
	defer func() { _ = snap.Close() }()
	if _, there, err := snap.(*snapshot).end(t.Context(), 987654, "4:00000000-0000-0000-0000-000000000000:987654"); there || err != nil {
		t.Fatalf("an end that is not there: %v, %v", there, err)
	}
	for p, err := range snap.Parts(t.Context()) {
		must(t, err)
		must(t, readThrough(t.Context(), p))
	}
	m, err := snap.Manifest(t.Context())
	must(t, err)
	if got := slugs(t, service.Verdict{Findings: m.Findings}); got["relationships-gone"] != service.Warning {
		t.Errorf("findings %v", m.Findings)
	}
}

// TestABigGraphNeedsLittleMemory copies, restores and verifies 100,000 nodes. The
// limit is far below the size of the copy in memory.
func TestABigGraphNeedsLittleMemory(t *testing.T) {
	s := sharedServer(t)
	for range 10 {
		cypher(t, s, "UNWIND range(1, 10000) AS i CREATE (a:Entity {id: i, text: 'x' + reduce(t = '', j IN range(1, 40) | t + toString(i))})-[:RELATION {n: i}]->(a)", nil)
	}
	in := declare(t, s)
	peak := watchHeap(t)
	c := backup(t, in, nil)
	if m := c.Manifest(); m.Counts["nodes"] != 100000 || m.Counts["relationships"] != 100000 {
		t.Fatalf("counts %v", m.Counts)
	}
	size := int64(0)
	for p, err := range c.Parts(t.Context()) {
		must(t, err)
		size += p.Size
	}
	breakOff(t, in, c)
	must(t, in.Restore(t.Context(), c, service.Selection{}, service.Report{}))
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	if len(v.Findings) != 0 {
		t.Errorf("findings %v", v.Findings)
	}
	t.Logf("copy of %d MB, heap at most %d MB", size>>20, peak()>>20)
	if limit := int64(20 << 20); peak() > limit {
		t.Errorf("the heap grew to %d bytes over a copy of %d", peak(), size)
	}
}

// breakOff ends a restore in its middle.
func breakOff(t *testing.T, in *Instance, c *servicetest.Copy) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := in.Restore(ctx, c, service.Selection{}, service.Report{Progress: func(done, total int64) {
		if done > total*6/10 { // the first half is the look at the copy
			cancel()
		}
	}})
	var fault *service.Fault
	if !errors.As(err, &fault) || fault.ID != "neo4j.restore-broken-off" || !errors.Is(err, context.Canceled) {
		t.Fatalf("a restore that was broken off gives %v", err)
	}
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	if service.Worst(v.Findings) != service.Critical {
		t.Error("half a restore is taken for the whole")
	}
	slugs(t, v)
}

// watchHeap returns the largest heap since, above what there was.
func watchHeap(t *testing.T) func() int64 {
	t.Helper()
	read := func() int64 { // what is in use: how much garbage waits beside it depends on the machine's other work
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		return int64(live[0].Value.Uint64())
	}
	runtime.GC()
	start, most := read(), int64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, read()-start)
			}
		}
	}()
	stopped := false
	return func() int64 {
		if !stopped {
			stopped = true
			close(done)
			<-ended
		}
		return most
	}
}
