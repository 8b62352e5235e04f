package logs

import (
	"fmt"
	"io"
	"iter"

	"upkeep/internal/service"
)

// feed turns blocks into one reader per stream. Each block is handed to take before
// its bytes are read; it is valid until the next one.
type feed struct {
	next   func() (service.LogBlock, error, bool)
	stop   func()
	take   func(service.LogBlock) error
	stream string
	head   *service.LogBlock // of the stream to come, or nil
	data   []byte            // what is left of the present block
	ended  bool
	failed []error // of single streams, and last of the source as a whole
}

func newFeed(blocks iter.Seq2[service.LogBlock, error]) *feed {
	f := &feed{}
	f.next, f.stop = iter.Pull2(blocks)
	f.pull()
	return f
}

// pull looks at the next block. A stream that cannot be read does not hide the others.
func (f *feed) pull() {
	for f.head = nil; f.head == nil && !f.ended; {
		block, err, more := f.next()
		switch {
		case !more:
			f.ended = true
		case err != nil && block.Stream != "":
			f.failed = append(f.failed, fmt.Errorf("%s: %w", block.Stream, err))
		case err != nil:
			f.ended, f.failed = true, append(f.failed, err)
		default:
			f.head = &block
		}
	}
}

// nextStream goes on to the next stream; false at the end.
func (f *feed) nextStream() bool {
	if f.ended {
		return false
	}
	f.stream = f.head.Stream
	return true
}

// Read gives the bytes of the present stream.
func (f *feed) Read(p []byte) (int, error) {
	for len(f.data) == 0 {
		if f.head == nil && !f.ended {
			f.pull()
		}
		if f.ended || f.head.Stream != f.stream {
			return 0, io.EOF
		}
		if err := f.take(*f.head); err != nil {
			return 0, err
		}
		f.data, f.head = f.head.Data, nil
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	return n, nil
}
