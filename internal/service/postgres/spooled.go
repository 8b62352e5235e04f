package postgres

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// spooled is the output of a producer that ran already and is read later. It is
// for what is small, such as a schema.
type spooled struct {
	path   string
	remove func() error
}

// dumpPurpose names the directories in which schemas wait to be read.
const dumpPurpose = "pgdump"

func (in *Instance) spool(ctx context.Context, produce producer) (*spooled, error) {
	dir, remove, err := in.env.Dir(dumpPurpose)
	if err != nil {
		return nil, err
	}
	s := &spooled{path: filepath.Join(dir, "part"), remove: remove}
	file, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(produce(ctx, file), file.Close())
	}
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	return s, nil
}

// content is a producer of what was spooled.
func (s *spooled) content(_ context.Context, w io.Writer) (err error) {
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	_, err = io.Copy(w, file)
	return err
}
