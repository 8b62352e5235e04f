package anomalies

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"upkeep/internal/baseline"
)

// kept is an expression as it lies on the disk.
type kept struct {
	Declared Declared
	Asked    time.Time
	Series   map[string][]byte
	Last     map[string]Series
}

// saveEvery is how much is learnt anew after a crash: those samples are read again.
const saveEvery = time.Hour

// SaveDue saves when that is some time ago.
func (w *Watcher) SaveDue(now time.Time) error {
	w.mu.Lock()
	due := now.Sub(w.saved) >= saveEvery
	w.mu.Unlock()
	if !due {
		return nil
	}
	return w.Save(now)
}

// Save writes what was learnt, whole or not at all; nothing where nothing is declared.
func (w *Watcher) Save(now time.Time) error {
	if len(w.declared()) == 0 {
		return nil
	}
	text, err := w.encode()
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(w.path), filepath.Base(w.path)+".*")
	if err != nil {
		return fmt.Errorf("save what was learnt: %w", err)
	}
	_, err = draft.Write(text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), w.path)
	}
	if err != nil {
		return fmt.Errorf("save what was learnt: %w", errors.Join(err, os.Remove(draft.Name())))
	}
	w.mu.Lock()
	w.saved = now
	w.mu.Unlock()
	return nil
}

func (w *Watcher) encode() ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []kept
	for _, e := range w.watched {
		k := kept{Declared: e.Declared, Asked: e.asked, Series: map[string][]byte{}, Last: map[string]Series{}}
		for key, m := range e.series {
			text, err := m.baseline.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("keep series %s%s: %w", e.Name, key, err)
			}
			k.Series[key], k.Last[key] = text, m.last
		}
		all = append(all, k)
	}
	var text bytes.Buffer
	err := gob.NewEncoder(&text).Encode(all)
	return text.Bytes(), err
}

// mostState bounds what is read: a hundred expressions of 200 series.
const mostState = 512 << 20

func (w *Watcher) load() error {
	info, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > mostState {
		return fmt.Errorf("%d bytes are no state of ours", info.Size())
	}
	text, err := os.ReadFile(w.path)
	if err != nil {
		return err
	}
	var all []kept
	if err := gob.NewDecoder(bytes.NewReader(text)).Decode(&all); err != nil {
		return err
	}
	for _, k := range all {
		e := &expression{Declared: k.Declared, asked: k.Asked, series: map[string]*member{}}
		for key, text := range k.Series {
			m := &member{baseline: baseline.New(k.Declared.FalseAlarms, w.zone), last: k.Last[key]}
			if err := m.baseline.UnmarshalBinary(text); err != nil {
				return err
			}
			e.series[key] = m
		}
		w.watched = append(w.watched, e)
	}
	return nil
}
