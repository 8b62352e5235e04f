package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"upkeep/internal/service"
)

// decompressAll takes compressions back.
func (t *tending) decompressAll(ctx context.Context, w work) error {
	for i, f := range w.Files {
		if w.To[i].Name == "" {
			continue
		}
		if err := t.decompress(ctx, f, w.To[i]); err != nil {
			return fmt.Errorf("%s: %w", shown(f.path()), err)
		}
	}
	return nil
}

func (t *tending) decompress(ctx context.Context, plain file, to outcome) error {
	src, now, err := t.locked(string(to.Name))
	if errors.Is(err, service.ErrNotFound) {
		_, err := t.d.look(string(plain.Name))
		return err // done before where the plain file is there
	}
	if err != nil {
		return err
	}
	defer src.Close()
	switch _, err := t.d.look(string(plain.Name)); {
	case errors.Is(err, service.ErrNotFound):
		err = t.unpack(ctx, src, now, plain, to)
		if err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := t.holds(ctx, string(plain.Name), to); err != nil {
			return err
		}
	}
	return t.drop(ctx, src, now)
}

func (t *tending) unpack(ctx context.Context, src *os.File, like, plain file, to outcome) error {
	like.Size = to.Bytes
	return t.write(string(plain.Name), like, func(w io.Writer) error {
		z, err := unzip(src)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, guarded{ctx, z})
		return err
	}, func(half string) error { return t.holds(ctx, half, to) })
}

// holds compares a plain file with what was compressed.
func (t *tending) holds(ctx context.Context, name string, want outcome) error {
	f, now, err := t.d.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	sum, err := digest(ctx, f)
	if err == nil && (sum != want.SHA256 || now.Size != want.Bytes) {
		err = fmt.Errorf("%s is not what was compressed: %w", shown(name), service.ErrDamaged)
	}
	return err
}
