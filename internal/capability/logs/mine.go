package logs

import (
	"context"
	"time"

	"upkeep/internal/logs/record"
	"upkeep/internal/logs/template"
	"upkeep/internal/logs/trend"
)

// mining groups messages beside the reading of lines: both take as long. They are grouped in
// the order in which they were added.
type mining struct {
	state   trend.State
	miners  map[record.Level]*template.Miner
	filling *messages
	full    chan *messages
	empty   chan *messages
}

// messages are some of a stream, one behind the other.
type messages struct {
	text []byte
	all  []message
}

type message struct {
	level record.Level
	end   int // in text
	at    time.Time
}

// Limits of what waits to be grouped: so many pieces of so many bytes, or a little more.
const (
	piecesMined = 4
	bytesMined  = 256 << 10
)

func newMining(state trend.State) *mining {
	m := &mining{state: state, miners: map[record.Level]*template.Miner{}, filling: &messages{},
		full: make(chan *messages, piecesMined), empty: make(chan *messages, piecesMined)}
	for range piecesMined - 1 { // each channel has room for all: only what waits for a piece to be empty waits
		m.empty <- &messages{}
	}
	return m
}

// add copies a message, whose bytes the reader is about to overwrite.
func (m *mining) add(ctx context.Context, rec *record.Record) error {
	b := m.filling
	b.text = append(b.text, rec.Message...)
	b.all = append(b.all, message{rec.Level, len(b.text), rec.Time})
	if len(b.text) < bytesMined && len(b.all) < bytesMined {
		return nil
	}
	m.full <- b
	m.filling = nil
	select {
	case m.filling = <-m.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close says that nothing more is added.
func (m *mining) close() {
	if m.filling != nil {
		m.full <- m.filling
	}
	close(m.full)
}

// each groups until it is closed and nothing is left.
func (m *mining) each() {
	for b := range m.full {
		from := 0
		for _, one := range b.all {
			m.miner(one.level).Add(b.text[from:one.end], one.at)
			from = one.end
		}
		b.text, b.all = b.text[:0], b.all[:0]
		m.empty <- b
	}
}

func (m *mining) miner(level record.Level) *template.Miner {
	if m.miners[level] == nil {
		m.miners[level] = template.New(template.Options{}, m.state.Patterns(level.String())...)
	}
	return m.miners[level]
}

// seen is what was grouped: it is asked for when each has returned.
func (m *mining) seen() (all []trend.Seen) {
	for level, miner := range m.miners {
		for _, t := range miner.Report().Templates {
			all = append(all, trend.Seen{Level: level.String(), Template: t})
		}
	}
	return all
}
