package neo4j

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"upkeep/internal/service"
)

// Verify reads the whole graph as a copy would and compares counts, content and
// schema with the manifest. A graph in use differs from its copy.
//
// Of a dump the counts are compared: it has no content that could be read beside it.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (v service.Verdict, err error) {
	if isDump(c) {
		return in.verifyDump(ctx, c.Manifest())
	}
	snap, err := in.snapshotOnline(ctx, service.NoPrevious, r)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, snap.Close()) }()
	for part, err := range snap.Parts(ctx) {
		if err != nil {
			return v, err
		}
		if err := readThrough(ctx, part); err != nil {
			return v, err
		}
	}
	present, err := snap.Manifest(ctx)
	if err != nil {
		return v, err
	}
	for name, n := range present.Counts {
		v.Set(name, n)
	}
	compare(&v, c.Manifest(), present)
	for _, rule := range snap.(*snapshot).schema {
		judgeState(&v, rule)
	}
	return v, nil
}

func readThrough(ctx context.Context, part service.Part) (err error) {
	content, err := part.Open(ctx)
	if err != nil {
		return fmt.Errorf("read %q: %w", part.Name, err)
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	_, err = io.Copy(io.Discard, content)
	return err
}

// compare names every entry that is not the same on both sides.
func compare(v *service.Verdict, copied, present service.Manifest) {
	there := map[string]service.Entry{}
	for _, e := range present.Entries {
		there[e.Name] = e
	}
	for _, want := range copied.Entries {
		have := there[want.Name]
		delete(there, want.Name)
		if have.Count != want.Count || have.Digest != want.Digest {
			differs(v, want.Name, want.Count, have.Count)
		}
	}
	for _, extra := range present.Entries {
		if _, left := there[extra.Name]; left {
			differs(v, extra.Name, 0, extra.Count)
		}
	}
}

// differs words one difference; equal counts mean that the content is another.
func differs(v *service.Verdict, entry string, copied, present int64) {
	args := func(what string) service.Args {
		return service.Args{"what": what, "copied": copied, "present": present}
	}
	if what, is := strings.CutPrefix(entry, nodesOf); is {
		v.Crit("nodes-differ", what, args(what))
		return
	}
	if what, is := strings.CutPrefix(entry, relationshipsOf); is {
		v.Crit("relationships-differ", what, args(what))
		return
	}
	what := strings.TrimPrefix(entry, ruleOfSchema)
	if present == 0 {
		v.Crit("schema-missing", what, args(what))
	} else {
		v.Crit("schema-extra", what, args(what))
	}
}
