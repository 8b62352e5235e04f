package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// swap puts a freshly built database into the place of another one. Its names
// follow from the database's, so that a later run finds what a killed one left.
type swap struct {
	admin *pgx.Conn
	name  string
	fresh string // being built
	old   string // the replaced one, until it is dropped
}

const (
	freshPrefix = "upkeep_restore_"
	oldPrefix   = "upkeep_before_"
)

// isOurs reports whether a database is one that a restore builds or replaces.
func isOurs(database string) bool {
	return strings.HasPrefix(database, freshPrefix) || strings.HasPrefix(database, oldPrefix)
}

func newSwap(admin *pgx.Conn, name string) *swap {
	digest := sha256.Sum256([]byte(name)) // the name itself may fill the 63 bytes
	mark := hex.EncodeToString(digest[:6])
	return &swap{admin: admin, name: name, fresh: freshPrefix + mark, old: oldPrefix + mark}
}

func (s *swap) exists(ctx context.Context, name string) (bool, error) {
	return value[bool](ctx, s.admin, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
}

// clear ends what an interrupted run began: a database that was renamed away gets
// its name back, everything else of ours goes.
func (s *swap) clear(ctx context.Context) error {
	replaced, err := s.exists(ctx, s.old)
	if err != nil {
		return err
	}
	present, err := s.exists(ctx, s.name)
	if err != nil {
		return err
	}
	if replaced && !present {
		return errors.Join(s.putBack(ctx), s.drop(ctx, s.fresh))
	}
	return errors.Join(s.drop(ctx, s.old), s.drop(ctx, s.fresh))
}

// discard removes a database that could not be built, also when the run was
// cancelled.
func (s *swap) discard(ctx context.Context) error {
	return s.drop(context.WithoutCancel(ctx), s.fresh)
}

// finish swaps the two, completes the new one under its name and drops the old
// one. When it fails the old one is back in its place.
func (s *swap) finish(ctx context.Context, complete func() error) error {
	present, err := s.exists(ctx, s.name)
	if err != nil {
		return err
	}
	if present {
		if err := s.moveAway(ctx); err != nil {
			return errors.Join(err, s.allow(context.WithoutCancel(ctx), s.name), s.discard(ctx))
		}
	}
	err = execute(ctx, s.admin, "ALTER DATABASE "+quote(s.fresh)+" RENAME TO "+quote(s.name))
	if err == nil {
		err = complete()
	}
	if err != nil {
		return errors.Join(err, s.undo(context.WithoutCancel(ctx), present))
	}
	return s.drop(ctx, s.old)
}

// moveAway ends all sessions of the old database and renames it. A session may be
// about to end, or just have begun, so the rename is tried for a while.
func (s *swap) moveAway(ctx context.Context) error {
	if err := execute(ctx, s.admin, "ALTER DATABASE "+quote(s.name)+" ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("close the old database: %w", err)
	}
	var err error
	for range 50 {
		_, err = s.admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", s.name)
		if err != nil {
			return fmt.Errorf("end the sessions of the old database: %w", fault(err))
		}
		err = execute(ctx, s.admin, "ALTER DATABASE "+quote(s.name)+" RENAME TO "+quote(s.old))
		if state(err) != stateInUse {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err != nil {
		return fmt.Errorf("rename the old database: %w", err)
	}
	return nil
}

const stateInUse = "55006" // object_in_use

// undo gives the old database its name back and drops the new one.
func (s *swap) undo(ctx context.Context, hadOld bool) error {
	err := errors.Join(s.drop(ctx, s.name), s.drop(ctx, s.fresh))
	if err != nil || !hadOld {
		return err
	}
	return s.putBack(ctx)
}

func (s *swap) putBack(ctx context.Context) error {
	err := execute(ctx, s.admin, "ALTER DATABASE "+quote(s.old)+" RENAME TO "+quote(s.name))
	if err != nil {
		return fmt.Errorf("give the old database its name back: %w", err)
	}
	return s.allow(ctx, s.name)
}

func (s *swap) allow(ctx context.Context, name string) error {
	return execute(ctx, s.admin, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS true")
}

func (s *swap) drop(ctx context.Context, name string) error {
	present, err := s.exists(ctx, name)
	if err != nil || !present {
		return err
	}
	err = execute(ctx, s.admin, "ALTER DATABASE "+quote(name)+" IS_TEMPLATE false", "DROP DATABASE "+quote(name)+" WITH (FORCE)")
	if err != nil {
		return fmt.Errorf("drop database %q: %w", name, err)
	}
	return nil
}
