package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"upkeep/internal/service"
)

// verifying is one comparison of a server with a manifest.
type verifying struct {
	in       *Instance
	manifest service.Manifest

	mu      sync.Mutex // of what follows: a database is compared in several places at once
	verdict service.Verdict
	counts  map[string]int64
}

// Verify compares roles, databases, and in every database of the manifest all
// rows, sequences, extensions, constraints and large objects; then it lets
// PostgreSQL check its own indexes. It reads only; in a scratch server it adds the
// extension amcheck for that.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	v := &verifying{in: in, manifest: c.Manifest(), counts: map[string]int64{}}
	for name := range v.manifest.Counts {
		v.counts[name] = 0
	}
	err := v.all(ctx, r)
	for _, name := range slices.Sorted(maps.Keys(v.counts)) {
		v.verdict.Set(name, v.counts[name])
	}
	return v.verdict, err
}

func (v *verifying) all(ctx context.Context, r service.Report) error {
	conn, _, err := v.in.connectServer(ctx)
	if err != nil {
		return err
	}
	err = v.roles(ctx, conn)
	present, listing := collect[database](ctx, conn, databasesSQL)
	_ = goodbye(ctx, conn)
	if err := errors.Join(err, listing); err != nil {
		return err
	}
	entries := entriesOf(v.manifest, isDatabase, "")
	for i, e := range entries {
		if err := v.database(ctx, e, present); err != nil {
			return fmt.Errorf("verify database %q: %w", e.Attrs[attrDatabase], err)
		}
		r.Add(int64(i+1), int64(len(entries)))
	}
	return nil
}

// judge adds to the verdict; it may be called side by side.
func (v *verifying) judge(add func(*service.Verdict)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	add(&v.verdict)
}

func (v *verifying) crit(slug, subject string, args service.Args) {
	v.judge(func(all *service.Verdict) { all.Crit(slug, subject, args) })
}

// count adds to a total of what was found equal.
func (v *verifying) count(name string, n int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[name] += n
}

func (v *verifying) roles(ctx context.Context, conn *pgx.Conn) error {
	found, err := roles(ctx, conn)
	if err == nil && v.in.scratch != nil { // on a live server a password may have been changed since
		err = addPasswords(ctx, conn, found)
	}
	if err != nil {
		return err
	}
	for _, e := range entriesOf(v.manifest, isRole, "") {
		name := e.Attrs["role"]
		i := slices.IndexFunc(found, func(r role) bool { return r.Name == name })
		if i < 0 {
			v.crit("role-missing", name, service.Args{"role": name})
			continue
		}
		present := found[i].entry().Attrs
		if name == v.manifest.Attrs["bootstrap"] && v.in.scratch != nil {
			for _, own := range []string{"settings", "attributes", "password"} {
				present[own] = e.Attrs[own] // initdb made it, not the copy
			}
		}
		if e.Attrs["password"] == "" || present["password"] == "" {
			present["password"] = e.Attrs["password"] // one of the two could not be read
		}
		if what := differing(e.Attrs, present, "attributes", "member_of", "settings", "password"); what != "" {
			v.crit("role-differs", name, service.Args{"role": name, "what": what, "expected": e.Attrs[what], "found": present[what]})
			continue
		}
		v.count("roles", 1)
	}
	return nil
}

// differing returns the first of the attributes that is not the same.
func differing(expected, found map[string]string, names ...string) string {
	for _, name := range names {
		if expected[name] != found[name] {
			return name
		}
	}
	return ""
}

func (v *verifying) database(ctx context.Context, e service.Entry, present []database) error {
	name := e.Attrs[attrDatabase]
	i := slices.IndexFunc(present, func(d database) bool { return d.Name == name })
	if i < 0 {
		v.crit("database-missing", name, service.Args{"database": name})
		return nil
	}
	found := present[i].entry().Attrs
	what := differing(e.Attrs, found, "owner", "encoding", "collate", "ctype", "provider", "locale", "connection_limit", "rights", "settings")
	if what != "" {
		v.crit("database-differs", name, service.Args{"database": name, "what": what, "expected": e.Attrs[what], "found": found[what]})
	} else {
		v.count("databases", 1)
	}
	if found["encoding"] != e.Attrs["encoding"] {
		return nil // every row would differ
	}
	return v.content(ctx, name, e.Attrs["encoding"])
}

func (v *verifying) content(ctx context.Context, database, encoding string) error {
	conn, err := v.in.steady(ctx, database, encoding)
	if err != nil {
		return err
	}
	defer func() { _ = goodbye(ctx, conn) }()
	present, err := tables(ctx, conn)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return v.tables(ctx, database, encoding, present) })
	group.Go(func() error {
		for _, part := range []func(context.Context, *pgx.Conn, string) error{v.sequences, v.extensions, v.largeObjects, v.indexes} {
			if err := part(ctx, conn, database); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}
