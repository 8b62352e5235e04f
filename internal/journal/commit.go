package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// commits has this process write one transaction at a time, and several writes that
// wait for one another in one: a commit waits for the disk, and SQLite lets who finds
// the file locked sleep for ever longer spans.
type commits struct {
	mu      sync.Mutex
	waiting []*write
	leading bool // somebody commits, and takes those that wait next
}

// write is work that waits to be committed.
type write struct {
	ctx  context.Context
	work func(transaction) error
	done chan error // room for one
}

// mostAtOnce bounds how many writes are one transaction.
const mostAtOnce = 64

// write does work in a transaction that holds the write lock from its start: what it
// reads is still true when it appends, whatever other processes do. Work that fails
// leaves nothing behind. It may be done twice, the first time for nothing.
func (j *Journal) write(ctx context.Context, work func(transaction) error) error {
	own := &write{ctx, work, make(chan error, 1)}
	j.commits.mu.Lock()
	j.commits.waiting = append(j.commits.waiting, own)
	lead := !j.commits.leading
	j.commits.leading = true
	j.commits.mu.Unlock()
	if lead {
		j.lead()
	}
	return <-own.done
}

// lead commits until nobody waits.
func (j *Journal) lead() {
	for {
		j.commits.mu.Lock()
		n := min(len(j.commits.waiting), mostAtOnce)
		batch := j.commits.waiting[:n:n]
		j.commits.waiting = j.commits.waiting[n:]
		j.commits.leading = n > 0
		j.commits.mu.Unlock()
		if n == 0 {
			return
		}
		j.together(batch)
	}
}

// together does several writes in one transaction. Where that fails as a whole, each is
// done alone: the mistake of one must not cost the others.
func (j *Journal) together(batch []*write) {
	if len(batch) > 1 {
		results, err := j.batch(batch)
		if err == nil {
			for i, w := range batch {
				w.done <- results[i]
			}
			return
		}
	}
	for _, w := range batch {
		w.done <- j.alone(w)
	}
}

// batch returns what became of each write, or why nothing was written at all.
func (j *Journal) batch(batch []*write) (results []error, err error) {
	tx, err := j.begin(context.WithoutCancel(batch[0].ctx)) // it is the others' too
	if err != nil {
		return nil, err
	}
	for _, w := range batch {
		result, err := kept(tx, w)
		if err != nil {
			return nil, undone(tx.Tx, err)
		}
		results = append(results, result)
	}
	return results, tx.Commit()
}

// kept does one write of a batch. One that failed is taken back by itself; an error of
// SQLite is the batch's, whose transaction it may have ended.
func kept(tx transaction, w *write) (result, err error) {
	if w.ctx.Err() != nil {
		return nil, w.ctx.Err() // done alone it says so in its own words
	}
	ctx := context.WithoutCancel(w.ctx) // the transaction is the others' too
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return nil, err
	}
	if result = w.work(tx); result != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
			return nil, errors.Join(result, err)
		}
	}
	_, err = tx.ExecContext(ctx, "RELEASE one")
	return result, err
}

func (j *Journal) alone(w *write) error {
	tx, err := j.begin(w.ctx)
	if err != nil {
		return fmt.Errorf("lock the journal: %w", err)
	}
	if err := w.work(tx); err != nil {
		return undone(tx.Tx, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit to the journal: %w", err)
	}
	return nil
}
