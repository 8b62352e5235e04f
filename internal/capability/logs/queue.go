package logs

import (
	"bytes"
	"context"

	"golang.org/x/sync/semaphore"

	"upkeep/internal/service"
)

// queue holds blocks between one that reads and one that packs, so that neither waits
// for the other at every small file.
type queue struct {
	blocks chan service.LogBlock
	room   *semaphore.Weighted
}

// Limits of a queue. A single block may be as large as all others together.
const (
	mostQueued  = 1024
	bytesQueued = 8 << 20
)

func newQueue() *queue {
	return &queue{blocks: make(chan service.LogBlock, mostQueued), room: semaphore.NewWeighted(bytesQueued)}
}

func weight(b service.LogBlock) int64 { return min(int64(len(b.Data)), bytesQueued) }

// put adds a copy of a block, whose data its source is about to overwrite.
func (q *queue) put(ctx context.Context, b service.LogBlock) error {
	if err := q.room.Acquire(ctx, weight(b)); err != nil {
		return err
	}
	b.Data = bytes.Clone(b.Data)
	select {
	case q.blocks <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *queue) close() { close(q.blocks) }

// each takes the blocks until the queue is closed and empty.
func (q *queue) each(do func(service.LogBlock) error) error {
	for b := range q.blocks {
		if err := do(b); err != nil {
			return err
		}
		q.room.Release(weight(b))
	}
	return nil
}
