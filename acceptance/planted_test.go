package acceptance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/catalogue"
	usecase "upkeep/internal/control"
	"upkeep/internal/repository"
	"upkeep/internal/service"
	"upkeep/internal/service/all"
)

// planter stores points that do not hold what their manifests say.
type planter struct {
	*system
	app    *usecase.App
	random *rand.Rand
	n      int // points so far
}

func newPlanter(t testing.TB, s *system) *planter {
	t.Helper()
	kinds := all.Kinds()
	cfg, problems := usecase.Load([]string{s.path("upkeep.yaml")}, kinds, os.Getenv)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	app := usecase.Open(cfg, usecase.Options{Kinds: kinds, Getenv: os.Getenv, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Words: catalogue.Words{}})
	t.Cleanup(func() {
		if err := app.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	number := uint64(time.Now().UnixNano())
	t.Logf("drawn with the seed %d", number)
	return &planter{system: s, app: app, random: rand.New(rand.NewPCG(number, 1))}
}

// view opens a consistent view of a target, as a backup does.
func (p *planter) view(target string) service.Snapshot {
	p.t.Helper()
	declared, ok := p.app.Inventory.Target(target)
	if !ok {
		p.t.Fatalf("no target %s", target)
	}
	in, err := declared.Open()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { in.Close() })
	view, err := in.(service.Source).Snapshot(p.t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		p.t.Fatal(err)
	}
	return view
}

// promise reads a view to its end and returns its manifest.
func (p *planter) promise(target string) service.Manifest {
	p.t.Helper()
	ctx, view := p.t.Context(), p.view(target)
	defer view.Close()
	for part, err := range view.Parts(ctx) {
		if err != nil {
			p.t.Fatal(err)
		}
		if part.Open != nil {
			p.read(part)
		}
	}
	m, err := view.Manifest(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

func (p *planter) read(part service.Part) []byte {
	p.t.Helper()
	from, err := part.Open(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	content, err := io.ReadAll(from)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := from.Close(); err != nil {
		p.t.Fatal(err)
	}
	return content
}

// store makes a complete point of one tampered view and returns its ID.
func (p *planter) store(target string, view service.Snapshot) string {
	p.t.Helper()
	return p.point(map[string]service.Snapshot{target: view})
}

// point makes a complete point of views, by target, and returns its ID.
func (p *planter) point(views map[string]service.Snapshot) string {
	p.t.Helper()
	ctx := p.t.Context()
	repo, err := p.app.Repository(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	p.n++
	id := fmt.Sprintf("planted-%04d", p.n)
	w, err := repo.Begin(ctx, repository.Header{ID: id, System: p.app.Config.System, Taken: time.Now()})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, target := range slices.Sorted(maps.Keys(views)) {
		declared, _ := p.app.Inventory.Target(target)
		_, stored := w.Store(ctx, target, declared.Kind.Name(), views[target], repository.StoreOptions{}, service.Report{})
		err = errors.Join(err, stored, views[target].Close())
	}
	if err == nil {
		_, err = w.Seal(ctx, repository.Declaration{}, "0:")
	}
	if err := errors.Join(err, w.Close(ctx)); err != nil {
		p.t.Fatal(err)
	}
	return id
}

// other is a view that promises what another one did. The digests that tell one
// dump of the same definitions from the next are its own: else they would give
// away what the comparison of contents has to find.
type other struct {
	service.Snapshot
	promised service.Manifest
}

func (o other) Manifest(ctx context.Context) (service.Manifest, error) {
	own, err := o.Snapshot.Manifest(ctx)
	m := o.promised
	m.Attrs = maps.Clone(m.Attrs)
	for name, value := range own.Attrs {
		if strings.HasPrefix(name, "sha256 ") || strings.HasPrefix(name, "part ") {
			m.Attrs[name] = value
		}
	}
	return m, err
}

// changed gives a view of what a target holds after a change, with the manifest of
// before it.
func (p *planter) changed(target string, change func()) service.Snapshot {
	promised := p.promise(target)
	change()
	return other{p.view(target), promised}
}

// tampered is a view of which one part is not what it was.
type tampered struct {
	service.Snapshot
	name  string
	alter func(service.Part) (service.Part, bool) // false leaves the part out
}

func (v tampered) Parts(ctx context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for part, err := range v.Snapshot.Parts(ctx) {
			keep := true
			if err == nil && part.Name == v.name {
				part, keep = v.alter(part)
			}
			if keep && !yield(part, err) {
				return
			}
		}
	}
}

// draw chooses one of the target's parts with content.
func (p *planter) draw(target string, fits func(name string) bool) string {
	p.t.Helper()
	view := p.view(target)
	defer view.Close()
	var names []string
	for part, err := range view.Parts(p.t.Context()) {
		if err != nil {
			p.t.Fatal(err)
		}
		if part.Open != nil && fits(part.Name) && len(p.read(part)) > 0 {
			names = append(names, part.Name)
		}
	}
	if len(names) == 0 {
		p.t.Fatalf("%s has no such part", target)
	}
	return names[p.random.IntN(len(names))]
}

// cut leaves out the end of a part: at least a byte of it, at most all.
func (p *planter) cut(target string) service.Snapshot {
	name := p.draw(target, func(string) bool { return true })
	return tampered{p.view(target), name, func(part service.Part) (service.Part, bool) {
		whole := part
		part.Identity = "" // else the content of an earlier copy would be taken
		part.Open = func(context.Context) (io.ReadCloser, error) {
			content := p.read(whole)
			return io.NopCloser(bytes.NewReader(content[:p.random.IntN(len(content))])), nil
		}
		return part, true
	}}
}

// without leaves a part out that was read, and so is promised.
func (p *planter) without(target string, fits func(name string) bool) service.Snapshot {
	name := p.draw(target, fits)
	return tampered{p.view(target), name, func(part service.Part) (service.Part, bool) {
		p.read(part)
		return part, false
	}}
}
