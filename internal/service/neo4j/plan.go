package neo4j

import (
	"context"
	"fmt"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/sandbox"
	"upkeep/internal/service"
)

// Size samples each label and type and multiplies, doubled: rather too high. The
// server does not tell Community users how large its store is.
func (in *Instance) Size(ctx context.Context) (size int64, err error) {
	err = in.with(ctx, func(l *link) error {
		size, err = l.size(ctx)
		return err
	})
	return size, err
}

// sampled is how many records of each sort are looked at.
const sampled = 100

func (l *link) size(ctx context.Context) (int64, error) {
	labels, err := l.tally(ctx, l.labels, countLabel, listed)
	if err != nil {
		return 0, err
	}
	types, err := l.tally(ctx, l.types, countType, listed)
	if err != nil {
		return 0, err
	}
	const fixed = 64 << 10 // schema, and nodes without labels
	total := int64(fixed)
	for label, n := range labels {
		each, err := l.sample(ctx, "MATCH (n:"+quote(label)+") RETURN n LIMIT $n")
		if err != nil {
			return 0, err
		}
		total += 2 * n * each
	}
	for kind, n := range types {
		each, err := l.sample(ctx, "MATCH ()-[r:"+quote(kind)+"]->() RETURN r LIMIT $n")
		if err != nil {
			return 0, err
		}
		total += 2 * n * each
	}
	return total, nil
}

// sample is the average size of one record in a copy, in bytes.
func (l *link) sample(ctx context.Context, cypher string) (int64, error) {
	const numbers = 40 // of a record: its own and those of its ends
	var bytes, records int64
	err := l.read(ctx, cypher, map[string]any{"n": sampled}, func(r *driver.Record) error {
		encoded, err := appendValue(nil, r.Values[0])
		if err != nil {
			return fmt.Errorf("estimate the size: %w", err)
		}
		bytes, records = bytes+int64(len(encoded))+numbers, records+1
		return nil
	})
	return bytes / max(records, 1), err
}

// Probe says whether a drill can take place here, and a dump where those are wanted.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	needs := []service.Need{sandbox.Need(ctx, in.env, service.Need{Name: "neo4j", Use: "drill"}, "neo4j", 0, nil)}
	if in.cfg.Copy == dumped {
		needs = append(needs, sandbox.Need(ctx, in.adminEnv(), service.Need{Name: adminName, Use: "backup"}, adminName, 0, nil))
	}
	return needs
}

// adminEnv has the programs of the one place that neo4j-admin is taken from.
func (in *Instance) adminEnv() service.Env {
	env := in.env
	if in.cfg.Dump.Data != "" {
		env.RunsIn = service.Place{}
		return env
	}
	env.Find = func(_ context.Context, program string, _ int) (string, string, error) {
		return "", "", fmt.Errorf("%s of this machine does not see the files: %w", program, service.ErrNoTool)
	}
	return env
}
