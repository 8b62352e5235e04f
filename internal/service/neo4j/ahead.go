package neo4j

import (
	"context"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"
)

// aheadRecords is how many records go from the reader to the writer at once: each on
// its own would wake the other too often. Three times as many are in memory.
const aheadRecords = 64

// ahead reads records while those before them become lines: the driver takes as long
// for one as all that is done with it.
type ahead struct {
	blocks chan []*driver.Record // closed after the last
	block  []*driver.Record
	stop   context.CancelFunc
}

func readAhead(ctx context.Context, result driver.ResultWithContext) *ahead {
	ctx, stop := context.WithCancel(ctx)
	a := &ahead{blocks: make(chan []*driver.Record, 1), stop: stop}
	go a.read(ctx, result)
	return a
}

func (a *ahead) read(ctx context.Context, result driver.ResultWithContext) {
	defer close(a.blocks)
	for {
		block := make([]*driver.Record, 0, aheadRecords)
		for len(block) < aheadRecords && result.Next(ctx) {
			block = append(block, result.Record())
		}
		a.blocks <- block // somebody takes it, and be it end
		if len(block) < aheadRecords {
			return
		}
	}
}

// next is nil after the last record. Then, and not before, the result tells its error.
func (a *ahead) next() *driver.Record {
	for len(a.block) == 0 {
		block, more := <-a.blocks
		if !more {
			return nil
		}
		a.block = block
	}
	r := a.block[0]
	a.block = a.block[1:]
	return r
}

// end returns when nobody uses the result any more. It may be called again.
func (a *ahead) end() {
	a.stop()
	for range a.blocks {
	}
}
