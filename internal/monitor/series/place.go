package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

type (
	hist      = histogram.Histogram
	floatHist = histogram.FloatHistogram
)

// place is where samples are written and read for a time.
type place struct {
	users    sync.WaitGroup // appenders and queriers that are open
	byLabels bool           // numbers of series are those of an earlier place
	registry *prometheus.Registry

	disk *tsdb.DB
	// While the disk takes nothing: new samples in memory, blocks only read.
	memory *tsdb.Head
	blocks []*tsdb.Block
}

// openMemory reads blocks and writes nothing. What the log on disk holds comes back when the
// disk takes samples again.
func openMemory(opt Options) (*place, error) {
	o := tsdb.DefaultHeadOptions()
	o.ChunkDirRoot = filepath.Join(opt.Dir, memoryDir) // of a head without a DB nothing is ever written there
	o.StripeSize = stripes
	head, err := tsdb.NewHead(nil, quiet(opt.Log, "memory"), nil, nil, o, nil)
	if err != nil {
		return nil, fmt.Errorf("keep samples in memory: %w", err)
	}
	if err := head.Init(math.MinInt64); err != nil {
		return nil, fmt.Errorf("keep samples in memory: %w", err)
	}
	p := &place{memory: head, registry: prometheus.NewRegistry()}
	for _, dir := range blockDirs(opt.Dir) {
		if b, err := tsdb.OpenBlock(quiet(opt.Log, "samples"), dir, nil, nil); err == nil { // a damaged one is set aside when the disk is written again
			p.blocks = append(p.blocks, b)
		}
	}
	return p, nil
}

func (p *place) appender(ctx context.Context) storage.Appender {
	if p.disk != nil {
		return p.disk.Appender(ctx)
	}
	return p.memory.Appender(ctx)
}

func (p *place) appenderV2(ctx context.Context) storage.AppenderV2 {
	if p.disk != nil {
		return p.disk.AppenderV2(ctx)
	}
	return p.memory.AppenderV2(ctx)
}

func (p *place) querier(mint, maxt int64) (storage.Querier, error) {
	if p.disk != nil {
		return p.disk.Querier(mint, maxt)
	}
	var all []storage.Querier
	for _, r := range p.readers(mint, maxt) {
		q, err := tsdb.NewBlockQuerier(r, mint, maxt)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, q)
	}
	return storage.NewMergeQuerier(all, nil, storage.ChainedSeriesMerge), nil
}

func (p *place) chunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	if p.disk != nil {
		return p.disk.ChunkQuerier(mint, maxt)
	}
	var all []storage.ChunkQuerier
	for _, r := range p.readers(mint, maxt) {
		q, err := tsdb.NewBlockChunkQuerier(r, mint, maxt)
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		all = append(all, q)
	}
	return storage.NewMergeChunkQuerier(all, nil, storage.NewCompactingChunkSeriesMerger(storage.ChainedSeriesMerge)), nil
}

// readers are the blocks of the time from mint to maxt, the memory last.
func (p *place) readers(mint, maxt int64) (found []tsdb.BlockReader) {
	for _, b := range p.blocks {
		if b.OverlapsClosedInterval(mint, maxt) {
			found = append(found, b)
		}
	}
	return append(found, tsdb.NewRangeHead(p.memory, mint, maxt))
}

func closeAll[Q interface{ Close() error }](all []Q) (failed error) {
	for _, q := range all {
		failed = errors.Join(failed, q.Close())
	}
	return failed
}

func (p *place) startTime() (int64, error) {
	switch {
	case p.disk != nil:
		return p.disk.StartTime()
	case len(p.blocks) > 0:
		return p.blocks[0].MinTime(), nil
	}
	return p.memory.MinTime(), nil
}

// head is the index of what was written lately.
func (p *place) head() *tsdb.Head {
	if p.disk != nil {
		return p.disk.Head()
	}
	return p.memory
}

// close waits for nobody: users must be gone. On a full disk Prometheus' storage panics when
// it cannot put by what its log holds as well; then the log is what counts.
func (p *place) close() (err error) {
	defer func() {
		if why := recover(); why != nil {
			err = fmt.Errorf("close the samples: %v", why)
		}
	}()
	if p.disk != nil {
		return p.disk.Close()
	}
	return errors.Join(p.memory.Close(), closeAll(p.blocks))
}
