package rabbitmq

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"upkeep/internal/service"
)

// partName is the one part of a copy: definitions as RabbitMQ itself imports them.
const partName = "definitions.json"

// snapshot is the definitions at one moment. They are held in memory, at most as
// many bytes as one answer may have: RabbitMQ gives them in one piece.
type snapshot struct {
	in      *Instance
	about   overview
	taken   time.Time
	content []byte
	d       definitions
	r       service.Report
}

// Snapshot exports the definitions. Messages are not copied: a message that is given
// back is done twice, and reading one without taking it is impossible.
func (in *Instance) Snapshot(ctx context.Context, _ service.Previous, r service.Report) (service.Snapshot, error) {
	about, err := in.overview(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{in: in, about: about, taken: in.env.Now(), r: r}
	if s.content, s.d, err = in.export(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Size is that of the export.
func (in *Instance) Size(ctx context.Context) (int64, error) {
	content, _, err := in.export(ctx)
	return int64(len(content)), err
}

// Parts is the one file.
func (s *snapshot) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		yield(service.Part{Name: partName, Size: int64(len(s.content)), Open: s.open}, nil)
	}
}

func (s *snapshot) open(context.Context) (io.ReadCloser, error) {
	s.r.Add(int64(len(s.content)), int64(len(s.content)))
	return io.NopCloser(bytes.NewReader(s.content)), nil
}

// Manifest counts and digests each class of definitions, and says what is not there.
func (s *snapshot) Manifest(context.Context) (service.Manifest, error) {
	return service.Manifest{
		Taken: s.taken, Version: s.about.Version, Identity: s.in.identityOf(s.about),
		Counts: s.d.counts(), Entries: s.d.entries(),
		Attrs: map[string]string{"messages": "not copied"},
	}, nil
}

// Close has nothing to release.
func (s *snapshot) Close() error { return nil }

// fromCopy reads the definitions of a copy and holds them against its manifest: what
// was promised is imported, or nothing.
func fromCopy(ctx context.Context, c service.Copy) (content []byte, d definitions, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	part, err := c.Part(ctx, partName)
	if err != nil {
		return nil, nil, fmt.Errorf("find %s in the copy: %w", partName, err)
	}
	stream, err := part.Open(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s of the copy: %w", partName, err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	if content, err = io.ReadAll(io.LimitReader(stream, largest+1)); err != nil {
		return nil, nil, fmt.Errorf("read %s of the copy: %w", partName, err)
	}
	if d, err = parse(content); err != nil {
		return nil, nil, err
	}
	for _, want := range c.Manifest().Entries {
		if got := d[want.Name]; int64(len(got)) != want.Count || digest(got) != want.Digest {
			return nil, nil, fmt.Errorf("the %s of the copy are not those of its manifest: %w", want.Name, service.ErrDamaged)
		}
	}
	return content, d, nil
}
