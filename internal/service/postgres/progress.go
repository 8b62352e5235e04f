package postgres

import (
	"io"
	"sync/atomic"

	"upkeep/internal/service"
)

// counter is how many bytes of how many have been read.
type counter struct {
	done  atomic.Int64
	total int64
}

// counted reports what is read through it.
type counted struct {
	io.ReadCloser
	to     *counter
	report service.Report
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.report.Add(c.to.done.Add(int64(n)), c.to.total)
	return n, err
}
