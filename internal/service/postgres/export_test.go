package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"upkeep/internal/service"
)

// Connect lets tests into a scratch server, whose password nobody else has.
func Connect(ctx context.Context, in service.Instance, database string) (*pgx.Conn, error) {
	return in.(*Instance).connect(ctx, database)
}

// Statements, Escape and Matches are tested by themselves.
var (
	Statements = statements
	Escape     = escape
	Matches    = matches
)

// Digest returns the rows and the digest of a stream that comes in pieces.
func Digest(pieces ...string) (int64, string) {
	var d rowDigest
	for _, p := range pieces {
		_, _ = d.Write([]byte(p))
	}
	return d.rows, d.sum()
}

// Shown is a statement as it appears in facts and findings.
func Shown(query string) string { return shorten(withoutValues(query)) }
