package neo4j

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"upkeep/internal/service"
)

// readme tells how to use the files with stock tools. Its arguments: version, time
// from and until, nodes, relationships, the list of files, and what load.cypher
// cannot hold.
const readme = `# Copy of a Neo4j graph

Read from Neo4j %[1]s while it was in use, from %[2]s until %[3]s: %[4]d nodes, %[5]d relationships. Neo4j
has no view that stays still, so the copy is of that span and not of one moment. Users and roles are not in it.

## Load it

load.cypher makes the graph in an EMPTY database, its constraints and indexes last:

    cypher-shell -a bolt://HOST:7687 -u neo4j -d neo4j --file load.cypher

It marks nodes with the label _UpkeepLoad while it runs and takes that away at the end. Compare afterwards:
MATCH (n) RETURN count(n); MATCH ()-[r]->() RETURN count(r).
%[7]s
## Read it

Each line of a file is one JSON object. A node: id (its number in the old database), labels, properties. A
relationship: start and end (numbers of nodes), type, properties. Numbers with a point or an exponent are floats,
others integers. What JSON has no type for is an object with "$type": float (NaN, Infinity), bytes (base64), date (days
since 1970-01-01), datetime, localdatetime (seconds, nanos), time, localtime (seconds since midnight, nanos),
duration (months, days, seconds, nanos), point (srid, at). "text" is the same for people.

    jq -r 'select(.labels | index("Entity")) | .properties.name' nodes-*.jsonl

| file | holds |
|---|---|
%[6]s`

// Extract gives the lines of the copy and a script for cypher-shell that makes the
// graph from them. A label cannot be cut out: its nodes have relationships.
func (in *Instance) Extract(ctx context.Context, c service.Copy, sel service.Selection, put func(*tar.Header, io.Reader) error) error {
	if !sel.All() {
		return fmt.Errorf("cut %q out of a graph: %w", sel.Only, service.ErrUnsupported)
	}
	if isDump(c) {
		return extractDump(ctx, c, put)
	}
	from, err := openStored(c, service.Report{})
	if err != nil {
		return err
	}
	x := &extractor{from: from, m: c.Manifest(), put: put}
	dir, remove, err := in.env.Dir(tablePurpose)
	if err != nil {
		return fmt.Errorf("make room for the script: %w", err)
	}
	return errors.Join(x.extract(ctx, filepath.Join(dir, "load.cypher")), remove())
}

type extractor struct {
	from *stored
	m    service.Manifest
	put  func(*tar.Header, io.Reader) error
}

// extract writes the script to a scratch file first: its size has to be known.
func (x *extractor) extract(ctx context.Context, path string) error {
	left, err := x.script(ctx, path)
	if err != nil {
		return fmt.Errorf("write the script: %w", err)
	}
	about := x.about(left)
	if err := x.put(x.header("README.md", int64(len(about))), strings.NewReader(about)); err != nil {
		return err
	}
	for i, name := range x.from.parts {
		if err := x.part(ctx, fileOf(name, i), name); err != nil {
			return err
		}
	}
	script, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = script.Close() }() // it was only read
	info, err := script.Stat()
	if err != nil {
		return err
	}
	return x.put(x.header("load.cypher", info.Size()), script)
}

func (x *extractor) header(name string, size int64) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: x.m.Taken}
}

// fileOf names files by number: labels and types may hold anything.
func fileOf(part string, i int) string {
	switch {
	case part == lateNodesPart:
		return "nodes-late.jsonl"
	case strings.HasPrefix(part, nodesPrefix):
		return fmt.Sprintf("nodes-%04d.jsonl", i)
	case strings.HasPrefix(part, relationshipsPrefix):
		return fmt.Sprintf("relationships-%04d.jsonl", i)
	}
	return part
}

func (x *extractor) part(ctx context.Context, file, name string) (err error) {
	part, err := x.from.copy.Part(ctx, name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	content, err := part.Open(ctx)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return x.put(x.header(file, part.Size), content)
}

func (x *extractor) about(left int) string {
	var list strings.Builder
	for i, name := range x.from.parts {
		what := "constraints and indexes, with the statements that make them"
		if label, is := strings.CutPrefix(name, nodesPrefix); is {
			what = fmt.Sprintf("nodes of the label %q without a label before it in the alphabet; of none if it is empty", label)
		} else if kind, is := strings.CutPrefix(name, relationshipsPrefix); is {
			what = fmt.Sprintf("relationships of the type %q", kind)
		} else if name == lateNodesPart {
			what = "nodes that were made while the copy was taken"
		}
		fmt.Fprintf(&list, "| %s | %s |\n", fileOf(name, i), strings.ReplaceAll(what, "|", "\\|"))
	}
	limit := ""
	if left > 0 {
		limit = fmt.Sprintf("\n%d properties are byte arrays, which Cypher cannot write: they are in the lines and not in load.cypher.\n", left)
	}
	return fmt.Sprintf(readme, x.m.Version, x.m.Attrs[attrFrom], x.m.Attrs[attrUntil],
		x.m.Counts["nodes"], x.m.Counts["relationships"], list.String(), limit)
}

// script writes load.cypher and returns how many properties it cannot hold.
func (x *extractor) script(ctx context.Context, path string) (left int, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	to := bufio.NewWriterSize(file, 256<<10)
	w := &scriptWriter{to: to}
	err = w.write(ctx, x.from)
	return w.left, errors.Join(err, to.Flush(), file.Close())
}
