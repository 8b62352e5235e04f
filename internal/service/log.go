package service

import (
	"context"
	"iter"
)

// LogSource gives the lines that were logged since it was read last, stream by
// stream: a file, a service's output. It reads only, while writers go on.
type LogSource interface {
	// Logs yields blocks of whole lines. A stream that from does not know is read from
	// its beginning; a line that has no end yet is left for the next time. What comes
	// twice or not at all is a fault: a file that was renamed is read to its end under
	// its old name before the new one. An error ends one stream where Stream is set in
	// its block, else all.
	Logs(ctx context.Context, from Cursors) iter.Seq2[LogBlock, error]
}

// Cursors say how far each stream was read. What a cursor means is the kind's own
// business.
type Cursors map[string]string

// LogBlock is some lines of one stream, in order.
type LogBlock struct {
	Stream string // short and stable: "backend", "/var/log/app/worker.log"
	Data   []byte // whole lines, at most 1 MiB but for a longer single line; valid until the next block
	Next   string // cursor behind Data
	// Break says that lines may be missing before this block, and why: the slug of a
	// finding of the kind, such as "truncated". Empty = it follows on the block before.
	Break string
}
