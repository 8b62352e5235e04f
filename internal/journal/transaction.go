package journal

import (
	"context"
	"database/sql"
	"sync"
)

// transaction is one of SQLite's whose statements are parsed once, not each time: parsing takes longer
// than most of them run.
type transaction struct {
	*sql.Tx
	statements *statements // nil: parse each time
}

// begin starts one that holds the write lock.
func (j *Journal) begin(ctx context.Context) (transaction, error) {
	tx, err := j.db.BeginTx(ctx, nil)
	return transaction{tx, &j.statements}, err
}

// ExecContext is that of sql.Tx.
func (t transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := t.statements.get(ctx, query)
	if s == nil || err != nil {
		return t.Tx.ExecContext(ctx, query, args...) // says better what is wrong
	}
	return t.StmtContext(ctx, s).ExecContext(ctx, args...)
}

// QueryRowContext is that of sql.Tx.
func (t transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := t.statements.get(ctx, query)
	if s == nil || err != nil {
		return t.Tx.QueryRowContext(ctx, query, args...)
	}
	return t.StmtContext(ctx, s).QueryRowContext(ctx, args...)
}

// statements are those of a database that were parsed. They end with it.
type statements struct {
	db *sql.DB

	mu     sync.Mutex
	parsed map[string]*sql.Stmt // by text; the texts are this package's constants
}

func (p *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	if p == nil {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.parsed[query]; s != nil {
		return s, nil
	}
	s, err := p.db.PrepareContext(ctx, query)
	if err == nil {
		p.parsed[query] = s
	}
	return s, err
}
