package redis

import "fmt"

// Types of values in an RDB, as rdb.h names them.
const (
	typeString          = 0
	typeList            = 1
	typeSet             = 2
	typeZset            = 3
	typeHash            = 4
	typeZset2           = 5
	typeModule2         = 7
	typeHashZipmap      = 9
	typeListZiplist     = 10
	typeSetIntset       = 11
	typeZsetZiplist     = 12
	typeHashZiplist     = 13
	typeListQuicklist   = 14
	typeStream          = 15
	typeHashListpack    = 16
	typeZsetListpack    = 17
	typeListQuicklist2  = 18
	typeStream2         = 19
	typeSetListpack     = 20
	typeStream3         = 21
	typeHashExpiringRC  = 22 // in Valkey a hash with expiring fields, of another shape
	typeHashListpackRC  = 23
	typeHashExpiring    = 24
	typeHashListpackExp = 25
)

// skipValue finds the end of a value of one type.
func (w *walker) skipValue(kind byte) error {
	switch kind {
	case typeString, typeHashZipmap, typeListZiplist, typeSetIntset, typeZsetZiplist, typeHashZiplist,
		typeHashListpack, typeZsetListpack, typeSetListpack, typeHashListpackRC:
		return w.skipString()
	case typeList, typeSet, typeListQuicklist:
		return w.each(w.skipString)
	case typeHash:
		return w.each(w.skipString, w.skipString)
	case typeZset:
		return w.each(w.skipString, w.skipScore)
	case typeZset2:
		return w.each(w.skipString, w.skipEight)
	case typeListQuicklist2:
		return w.each(w.skipLength, w.skipString)
	case typeStream, typeStream2, typeStream3:
		return w.skipStream(kind)
	}
	return w.skipRareValue(kind)
}

func (w *walker) skipRareValue(kind byte) error {
	switch kind {
	case typeModule2:
		if err := w.skipLength(); err != nil {
			return err
		}
		return w.moduleValue()
	case typeHashExpiringRC:
		if w.head.Valkey {
			return w.each(w.skipString, w.skipString, w.skipEight)
		}
		return w.each(w.skipLength, w.skipString, w.skipString)
	case typeHashExpiring:
		if err := w.skipEight(); err != nil {
			return err
		}
		return w.each(w.skipLength, w.skipString, w.skipString)
	case typeHashListpackExp:
		if err := w.skipEight(); err != nil {
			return err
		}
		return w.skipString()
	}
	return w.unknown(fmt.Sprintf("type %d of a value", kind))
}

// each reads a count and then every part that many times.
func (w *walker) each(parts ...func() error) error {
	n, err := w.length()
	if err != nil {
		return err
	}
	for range n {
		for _, part := range parts {
			if err := part(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) skipLength() error { return w.lengths(1) }
func (w *walker) skipEight() error  { return w.skip(8) }

// skipScore reads a score as text; its length also names the infinities.
func (w *walker) skipScore() error {
	b, err := w.take(1)
	if err != nil || b[0] >= 253 {
		return err
	}
	return w.skip(uint64(b[0]))
}

func (w *walker) skipStream(kind byte) error {
	if err := w.each(w.skipString, w.skipString); err != nil { // nodes: first ID, listpack
		return err
	}
	numbers := uint64(3) // length, last ID
	if kind != typeStream {
		numbers += 5 // first ID, highest deleted ID, entries ever added
	}
	if err := w.lengths(numbers); err != nil {
		return err
	}
	return w.each(func() error { return w.skipGroup(kind) })
}

func (w *walker) skipGroup(kind byte) error {
	if err := w.skipString(); err != nil {
		return err
	}
	numbers := uint64(2) // last ID
	if kind != typeStream {
		numbers++ // entries read
	}
	if err := w.lengths(numbers); err != nil {
		return err
	}
	pendingID := func() error { return w.skip(16) }
	if err := w.each(pendingID, w.skipEight, w.skipLength); err != nil { // ID, delivery time and count
		return err
	}
	times := w.skipEight
	if kind == typeStream3 {
		times = pendingID // last seen, last active
	}
	return w.each(w.skipString, times, func() error { return w.each(pendingID) })
}

// moduleValue reads what a module wrote, up to its end mark.
func (w *walker) moduleValue() error {
	for {
		code, err := w.length()
		if err != nil {
			return err
		}
		switch code {
		case 0:
			return nil
		case 1, 2: // signed, unsigned
			err = w.skipLength()
		case 3: // float
			err = w.skip(4)
		case 4: // double
			err = w.skipEight()
		case 5:
			err = w.skipString()
		default:
			err = w.unknown(fmt.Sprintf("part %d of a module's value", code))
		}
		if err != nil {
			return err
		}
	}
}
