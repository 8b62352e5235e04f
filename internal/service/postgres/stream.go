package postgres

import (
	"context"
	"io"
	"sync"
)

// producer writes the content of a part to w, from its beginning to its end. Only
// a nil error makes the content whole.
type producer func(ctx context.Context, w io.Writer) error

const (
	chunkSize   = 256 << 10
	chunksAhead = 4 // a stream holds at most chunkSize × (chunksAhead + 2) bytes
)

// stream turns a producer into a reader. The producer runs beside whoever reads,
// from the first Read on, so that a stream that waits for its turn holds nothing.
// The reader gets io.EOF only after the producer said that all is well.
type stream struct {
	ctx     context.Context // of Open: the reader lives as long as it does
	cancel  context.CancelFunc
	produce producer
	begin   sync.Once
	full    chan []byte
	empty   chan []byte
	pending []byte // what is left of chunk
	chunk   []byte
	err     error // of the producer; set before full is closed
}

func newStream(ctx context.Context, produce producer) *stream {
	ctx, cancel := context.WithCancel(ctx)
	return &stream{ctx: ctx, cancel: cancel, produce: produce,
		full: make(chan []byte, chunksAhead), empty: make(chan []byte, chunksAhead+1)}
}

func (s *stream) start() {
	go func() {
		defer close(s.full)
		w := &chunkWriter{stream: s}
		if s.err = s.produce(s.ctx, w); s.err == nil {
			s.err = w.flush()
		}
	}()
}

func (s *stream) Read(p []byte) (int, error) {
	s.begin.Do(s.start)
	for len(s.pending) == 0 {
		s.recycle()
		chunk, more := <-s.full
		if !more {
			return 0, s.end()
		}
		s.chunk, s.pending = chunk, chunk
	}
	n := copy(p, s.pending)
	s.pending = s.pending[n:]
	return n, nil
}

func (s *stream) end() error {
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

func (s *stream) recycle() {
	if s.chunk == nil {
		return
	}
	select {
	case s.empty <- s.chunk[:0]:
	default:
	}
	s.chunk = nil
}

// Close ends the producer, waits for it and drops what was not read.
func (s *stream) Close() error {
	s.cancel()
	s.begin.Do(func() { close(s.full) }) // never read: nothing runs
	for range s.full {
	}
	return nil
}

// chunkWriter gathers small writes, such as rows, into chunks.
type chunkWriter struct {
	stream *stream
	buffer []byte
}

func (w *chunkWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if w.buffer == nil {
			w.buffer = w.fresh()
		}
		room := min(cap(w.buffer)-len(w.buffer), len(p))
		w.buffer = append(w.buffer, p[:room]...)
		p = p[room:]
		if len(w.buffer) == cap(w.buffer) {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *chunkWriter) fresh() []byte {
	select {
	case b := <-w.stream.empty:
		return b
	default:
		return make([]byte, 0, chunkSize)
	}
}

func (w *chunkWriter) flush() error {
	if len(w.buffer) == 0 {
		return nil
	}
	select {
	case w.stream.full <- w.buffer:
		w.buffer = nil
		return nil
	case <-w.stream.ctx.Done():
		return w.stream.ctx.Err()
	}
}
