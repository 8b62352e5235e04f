package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How far the server is, in blocks. Other sessions' work on the same table is not
// told apart; there can be none, because both would wait for one lock.
const (
	vacuumProgressSQL = `SELECT heap_blks_scanned, heap_blks_total, current_setting('block_size')::bigint
		FROM pg_stat_progress_vacuum WHERE datname = current_database() AND relid = $1`
	// An index is built in phases that count different things: each begins anew.
	indexProgressSQL = `SELECT blocks_done, blocks_total, current_setting('block_size')::bigint
		FROM pg_stat_progress_create_index WHERE datname = current_database() AND relid = $1`
)

// watchEvery is how often the server is asked how far it is.
const watchEvery = time.Second

// watched does work and reports how far it is, where somebody listens. Work that
// cannot be watched is done all the same.
func (c *caring) watched(ctx context.Context, sql string, table uint32, work func() error) error {
	if c.report.Progress == nil {
		return work()
	}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		if err := c.watch(watching, sql, table); err != nil && watching.Err() == nil {
			c.in.env.Log.Warn("progress is not known", "target", c.in.env.Target, "error", err)
		}
	})
	err := work()
	stop()
	watcher.Wait()
	return err
}

// watch uses a connection of its own: the other one is busy.
func (c *caring) watch(ctx context.Context, sql string, table uint32) error {
	return c.in.with(ctx, c.Database, func(conn *pgx.Conn) error {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			if err := c.tell(ctx, conn, sql, table); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	})
}

func (c *caring) tell(ctx context.Context, conn *pgx.Conn, sql string, table uint32) error {
	rows, err := conn.Query(ctx, sql, table)
	if err != nil {
		return err
	}
	var done, total, block *int64 // unknown (null) of work that is not ours to watch
	_, err = pgx.ForEachRow(rows, []any{&done, &total, &block}, func() error {
		if done != nil && total != nil && block != nil {
			c.report.Add(*done**block, *total**block)
		}
		return nil
	})
	return err
}
