package redis

import (
	"encoding/binary"
	"fmt"
)

// Opcodes of an RDB, as rdb.h names them.
const (
	opKeyMeta    = 243 // Valkey: slot import
	opSlotInfo   = 244
	opFunction   = 245
	opModuleAux  = 247
	opIdle       = 248
	opFrequency  = 249
	opAux        = 250
	opSizes      = 251
	opExpiryMS   = 252
	opExpiry     = 253
	opSelect     = 254
	opEnd        = 255
	lowestOpCode = 240 // types are below
)

func (w *walker) opcode(code byte) error {
	switch code {
	case opSelect:
		n, err := w.length()
		w.db = int(n)
		return err
	case opExpiryMS:
		b, err := w.take(8)
		if err == nil {
			w.expiry = int64(binary.LittleEndian.Uint64(b))
		}
		return err
	case opExpiry:
		b, err := w.take(4)
		if err == nil {
			w.expiry = int64(binary.LittleEndian.Uint32(b)) * 1000
		}
		return err
	case opFrequency:
		return w.skip(1)
	case opIdle:
		return w.lengths(1)
	case opSizes:
		return w.sizes()
	case opAux:
		return w.aux()
	case opFunction:
		return w.function()
	}
	return w.rareOpcode(code)
}

func (w *walker) rareOpcode(code byte) error {
	switch {
	case code == opModuleAux:
		if err := w.lengths(1); err != nil {
			return err
		}
		return w.moduleValue()
	case code == opSlotInfo && w.head.Valkey:
		return w.lengths(3)
	case code == opKeyMeta && w.head.Valkey:
		if err := w.skipString(); err != nil {
			return err
		}
		n, err := w.length()
		if err != nil {
			return err
		}
		return w.lengths(2 * n)
	}
	return w.unknown(fmt.Sprintf("entry %d", code))
}

func (w *walker) unknown(what string) error {
	return &unreadable{at: w.offset, what: what}
}

func (w *walker) sizes() error {
	keys, err := w.length()
	if err != nil {
		return err
	}
	expiring, err := w.length()
	if err == nil && w.visit.sizes != nil {
		w.visit.sizes(w.db, int64(keys), int64(expiring))
	}
	return err
}

func (w *walker) aux() error {
	name, err := w.str()
	if err != nil {
		return err
	}
	value, err := w.str()
	if err == nil && w.visit.aux != nil {
		w.visit.aux(string(name), string(value))
	}
	return err
}

func (w *walker) function() error {
	code, err := w.str()
	if err == nil && w.visit.function != nil {
		err = w.visit.function(code)
	}
	return err
}
