package neo4j

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// record is one line of a copy: a node or a relationship.
type record struct {
	ID         int64
	Labels     []string
	Start, End int64
	Type       string
	Properties map[string]any
}

// recordOf reads a line; the values are as the driver takes them.
func recordOf(line []byte) (r record, err error) {
	if !gjson.ValidBytes(line) {
		return r, fmt.Errorf("a line is not JSON: %w", service.ErrDamaged)
	}
	gjson.ParseBytes(line).ForEach(func(name, value gjson.Result) bool {
		switch name.Str {
		case "id":
			r.ID = value.Int()
		case "start":
			r.Start = value.Int()
		case "end":
			r.End = value.Int()
		case "type":
			r.Type = value.Str
		case "labels":
			value.ForEach(func(_, label gjson.Result) bool { r.Labels = append(r.Labels, label.Str); return true })
		case "properties":
			r.Properties, err = propertiesOf(value)
		}
		return err == nil
	})
	if err != nil {
		return r, fmt.Errorf("%w: %w", err, service.ErrDamaged)
	}
	return r, nil
}

func propertiesOf(object gjson.Result) (_ map[string]any, err error) {
	all := map[string]any{}
	object.ForEach(func(name, value gjson.Result) bool {
		if all[name.Str], err = valueOf(value); err != nil {
			err = fmt.Errorf("property %s: %w", name.Str, err)
		}
		return err == nil
	})
	return all, err
}

// stored reads a copy.
type stored struct {
	copy   service.Copy
	parts  []string // names, as the manifest promises them
	digest map[string]string
	total  int64 // bytes
	done   int64
	report service.Report
}

func openStored(c service.Copy, r service.Report) (*stored, error) {
	m := c.Manifest()
	if m.Attrs[attrFormat] != format {
		return nil, fmt.Errorf("a copy of format %q is not known here: %w", m.Attrs[attrFormat], service.ErrUnsupported)
	}
	s := &stored{copy: c, digest: map[string]string{}, report: r}
	for name, digest := range m.Attrs {
		if part, is := strings.CutPrefix(name, attrPart); is {
			s.digest[part] = digest
		}
	}
	s.parts = slices.Sorted(maps.Keys(s.digest))
	return s, nil
}

// nodes are the parts with nodes, relationships those with relationships.
func (s *stored) nodes() []string {
	return slices.DeleteFunc(slices.Clone(s.parts), func(name string) bool {
		return name != lateNodesPart && !strings.HasPrefix(name, nodesPrefix)
	})
}

func (s *stored) relationships() []string {
	return slices.DeleteFunc(slices.Clone(s.parts), func(name string) bool { return !strings.HasPrefix(name, relationshipsPrefix) })
}

// each reads a part line by line, and fails at its end if it is not what was stored.
// A line is valid until the next.
func (s *stored) each(ctx context.Context, name string, line func([]byte) error) (err error) {
	part, err := s.copy.Part(ctx, name)
	if err != nil {
		return fmt.Errorf("find %s in the copy: %w", name, err)
	}
	content, err := part.Open(ctx)
	if err != nil {
		return fmt.Errorf("open %s of the copy: %w", name, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	digest := xxh3.New()
	from := bufio.NewReaderSize(io.TeeReader(content, digest), 256<<10)
	for {
		text, err := from.ReadBytes('\n')
		if cause := ctx.Err(); cause != nil {
			return cause
		}
		if errors.Is(err, io.EOF) && len(text) == 0 {
			break
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s of the copy: %w", name, err)
		}
		if err := line(text); err != nil {
			return err
		}
		s.done += int64(len(text))
		s.report.Add(s.done, max(s.total, s.done))
	}
	if hex.EncodeToString(digest.Sum(nil)) != s.digest[name] {
		return fmt.Errorf("%s of the copy is not what was stored: %w", name, service.ErrDamaged)
	}
	return nil
}

// prove reads all parts once and finds damage before anything is changed.
func (s *stored) prove(ctx context.Context) error {
	for _, name := range s.parts {
		part, err := s.copy.Part(ctx, name)
		if err != nil {
			return fmt.Errorf("find %s in the copy: %w", name, err)
		}
		s.total += 2 * max(part.Size, 0) // they are read again
	}
	for _, name := range s.parts {
		if err := s.each(ctx, name, func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// rules are the constraints and indexes of the copy.
func (s *stored) rules(ctx context.Context) (all schema, err error) {
	err = s.each(ctx, schemaPart, func(line []byte) error {
		var r rule
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("%w: %w", err, service.ErrDamaged)
		}
		all = append(all, r)
		return nil
	})
	return all, err
}
