// Package seed fills lab servers with the data of an imaginary system that builds
// question-and-answer data sets from documents: a PostgreSQL database, sessions
// and task results in Redis, and a directory of uploads. It looks like a living
// system and holds nothing of a real one. The same Seed gives the same rows.
package seed

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Places is what to fill. An empty one is left out.
type Places struct {
	Postgres string // connection URL of a superuser, password included; database cotdb is made there
	Redis    string // connection URL, password included
	Dir      string // uploads go below it; made when missing
}

// Seed says how much and which. The zero value is a system of some months.
type Seed struct {
	Rows   int       // of all tables together, roughly; 0 = 120,000
	Files  int       // uploads of 1 KB to 2 MB; 0 = 240
	Keys   int       // in Redis, roughly; 0 = 4,000
	Random uint64    // another number, another system
	Now    time.Time // the newest record; zero = this hour
}

// Filled says what there is now.
type Filled struct {
	Rows  map[string]int64 // per table
	Files int
	Bytes int64 // of all files
	Keys  int64
}

// Database and Owner are made by Fill. Owner cannot log in: the lab's superuser can.
const (
	Database = "cotdb"
	Owner    = "cotuser"
)

// Total is the number of rows in all tables.
func (f Filled) Total() int64 {
	var sum int64
	for _, n := range f.Rows {
		sum += n
	}
	return sum
}

// Fill makes the data. The places must be new: it does not clear old data away.
func Fill(ctx context.Context, p Places, s Seed) (Filled, error) {
	g := newGenerator(s)
	var done Filled
	uploads, err := g.writeUploads(ctx, p.Dir)
	if err != nil {
		return done, fmt.Errorf("write uploads: %w", err)
	}
	if p.Dir != "" {
		done.Files = len(uploads)
		for _, u := range uploads {
			done.Bytes += u.size
		}
	}
	if p.Postgres != "" {
		if done.Rows, err = g.fillPostgres(ctx, p.Postgres, uploads); err != nil {
			return done, fmt.Errorf("fill PostgreSQL: %w", err)
		}
	}
	if p.Redis != "" {
		if done.Keys, err = g.fillRedis(ctx, p.Redis); err != nil {
			return done, fmt.Errorf("fill Redis: %w", err)
		}
	}
	return done, nil
}

// generator draws everything. Rows are computed from their table and number alone,
// so a child knows the ID of its parent without looking it up.
type generator struct {
	seed Seed
	now  time.Time
}

func newGenerator(s Seed) generator {
	s.Rows, s.Files, s.Keys = cmp.Or(s.Rows, 120_000), cmp.Or(s.Files, 240), cmp.Or(s.Keys, 4000)
	now := s.Now
	if now.IsZero() {
		now = time.Now().Truncate(time.Hour)
	}
	return generator{seed: s, now: now}
}
