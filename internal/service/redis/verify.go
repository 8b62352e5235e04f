package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"upkeep/internal/service"
)

// reading opens the target's present content as an RDB.
type reading func(ctx context.Context) (io.ReadCloser, error)

// Verify compares the server's present content with the copy. On a server in use
// everything written since is a difference, and is named as one; keys whose time
// has come since are not.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	return in.verify(ctx, c, func(ctx context.Context) (io.ReadCloser, error) { return in.dump(ctx) }, r)
}

// verify takes a census of the content and, when that is not what the manifest
// promises, compares content and copy key by key.
func (in *Instance) verify(ctx context.Context, c service.Copy, now reading, r service.Report) (v service.Verdict, err error) {
	m := c.Manifest()
	found, err := takeFrom(ctx, now, r, nil)
	if err != nil {
		return v, fmt.Errorf("read the content back: %w", err)
	}
	for name, n := range found.counts() {
		v.Set(name, n)
	}
	v.Findings = append(v.Findings, found.findings()...)
	notCovered(&v, m)
	if sameEntries(m.Entries, found.entries()) {
		return v, nil
	}
	return v, in.compare(ctx, &v, c, now, r)
}

// notCovered repeats what the manifest itself could not vouch for.
func notCovered(v *service.Verdict, m service.Manifest) {
	for _, f := range m.Findings {
		if !slices.ContainsFunc(v.Findings, func(have service.Finding) bool { return have.ID == f.ID }) {
			v.Findings = append(v.Findings, f)
		}
	}
}

func sameEntries(a, b []service.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y service.Entry) bool {
		return x.Name == y.Name && x.Count == y.Count && x.Digest == y.Digest && maps.Equal(x.Attrs, y.Attrs)
	})
}

func takeFrom(ctx context.Context, open reading, r service.Report, each func(item) error) (_ *census, err error) {
	content, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	return take(&reporter{ctx: ctx, r: content, report: r}, each)
}

func fromCopy(c service.Copy) reading {
	return func(ctx context.Context) (io.ReadCloser, error) {
		content, _, err := openCopy(ctx, c)
		return content, err
	}
}

// compare reads both sides once more, into files, and names what differs.
func (in *Instance) compare(ctx context.Context, v *service.Verdict, c service.Copy, now reading, r service.Report) (err error) {
	dir, remove, err := in.env.Dir("compare")
	if err != nil {
		return fmt.Errorf("make room for the comparison: %w", err)
	}
	defer func() { err = errors.Join(err, remove()) }()
	present, got, err := spillFrom(ctx, dir, "present", now, r)
	if err != nil {
		return fmt.Errorf("read the content back: %w", err)
	}
	copied, promised, err := spillFrom(ctx, dir, "copy", fromCopy(c), r)
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	if !sameEntries(c.Manifest().Entries, promised.entries()) {
		v.Crit("copy-differs", "", service.Args{"keys": promised.keys(), "promised": c.Manifest().Counts["keys"]})
	}
	if promised.functions.count != got.functions.count || promised.functions.sum != got.functions.sum {
		v.Crit("functions-differ", functionsEntry, service.Args{"copy": promised.functions.count, "present": got.functions.count})
	}
	// ctime is in whole seconds: a key may lapse until that second is over.
	const second = 1000
	diff := &difference{until: got.taken().UnixMilli() + second - 1}
	if err := diff.between(ctx, copied, present); err != nil {
		return fmt.Errorf("compare key by key: %w", err)
	}
	diff.report(v)
	return nil
}

// mismatch is one sort of difference with the first few keys of it.
type mismatch struct {
	keys     int64
	examples []string
}

// shown is how many keys of one sort are named.
const shown = 10

func (m *mismatch) add(db int, key string) {
	m.keys++
	if len(m.examples) < shown {
		const longest = 200
		m.examples = append(m.examples, fmt.Sprintf("db%d %s", db, strconv.QuoteToGraphic(key[:min(len(key), longest)])))
	}
}

// difference is what two sides do not have in common.
type difference struct {
	until                         int64 // keys of the copy that lapse up to then may be missing; milliseconds
	lapsed                        int64
	missing, extra, value, expiry mismatch
}

// copied notes a key of the copy and its counterpart.
func (d *difference) copied(want spilled, got spilled, there bool) {
	switch {
	case there && want.digest != got.digest:
		d.value.add(want.db, want.key)
	case there && want.expiry != got.expiry:
		d.expiry.add(want.db, want.key)
	case there:
	case want.expiry != 0 && want.expiry <= d.until:
		d.lapsed++
	default:
		d.missing.add(want.db, want.key)
	}
}

func (d *difference) report(v *service.Verdict) {
	v.Set("lapsed", d.lapsed)
	for _, sort := range []struct {
		slug string
		mismatch
	}{
		{"keys-missing", d.missing}, {"keys-extra", d.extra}, {"values-differ", d.value}, {"expiry-differs", d.expiry},
	} {
		if sort.keys > 0 {
			v.Crit(sort.slug, "", service.Args{"keys": sort.keys, "examples": sort.examples})
		}
	}
}
