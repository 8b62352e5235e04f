package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// haveDumpPrograms is asked before anything is read: a pg_dump older than the
// server refuses after it has connected.
//
// It returns the major version of pg_dump: that of pg_restore must not be lower.
func (in *Instance) haveDumpPrograms(ctx context.Context, major int) (int, error) {
	var version string
	for _, program := range []string{"pg_dumpall", "pg_dump"} {
		_, found, err := in.env.Find(ctx, program, major)
		if err != nil {
			return 0, in.tooOld(ctx, program, major, err)
		}
		version = found
	}
	return majorOf(version), nil
}

func (in *Instance) tooOld(ctx context.Context, program string, major int, missing error) error {
	_, older, err := in.env.Find(ctx, program, 0)
	if err != nil {
		return fmt.Errorf("look for %s %d: %w", program, major, missing)
	}
	return &service.Fault{ID: "postgres.pg-dump-too-old",
		Args: service.Args{"program": program, "found": older, "major": major},
		Err:  fmt.Errorf("%s %s cannot read a server of version %d: %w", program, older, major, service.ErrNoTool)}
}

// majorOf reads "15.20" as 15, and 0 where there is no number.
func majorOf(version string) int {
	first, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	return major
}

// runDump runs a program that reads the server and writes to w. It fails also
// when the server goes away, which the program tells in words only: then the
// server is asked again.
func (in *Instance) runDump(ctx context.Context, w io.Writer, program string, major int, args ...string) error {
	env, inside, err := in.childEnvs(ctx)
	if err != nil {
		return err
	}
	err = in.env.Run(ctx, service.Cmd{
		Program: program, Major: major, Args: append(args, "--no-password"), Env: env, Inside: inside, Stdout: w,
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	if strings.Contains(err.Error(), "canceling statement due to statement timeout") { // how it gives up waiting for a lock
		return &service.Fault{ID: "postgres.locked", Err: fmt.Errorf("%w: %w", service.ErrBusy, err)}
	}
	conn, _, gone := in.connectServer(ctx)
	if gone != nil {
		return errors.Join(err, gone)
	}
	_ = goodbye(ctx, conn)
	return err
}

// dumpGlobals writes roles, memberships and tablespaces.
func (s *snapshot) dumpGlobals(ctx context.Context, w io.Writer) error {
	cfg, err := s.in.settings(ctx)
	if err != nil {
		return err
	}
	login := cfg.Database
	if len(s.views) > 0 {
		login = s.views[0].Name // exists for certain
	}
	args := []string{"--globals-only", "--quote-all-identifiers", "-l", conninfo(login)}
	if !s.server.Passwords {
		args = append(args, "--no-role-passwords")
	}
	if err := s.in.runDump(ctx, w, "pg_dumpall", s.server.Major, args...); err != nil {
		return fmt.Errorf("dump roles: %w", err)
	}
	return nil
}

// lockWait makes pg_dump give up like LOCK does.
var lockWait = fmt.Sprintf("--lock-wait-timeout=%dms", lockPatience.Milliseconds())

// dumpSchema writes everything of a database but rows and large objects, in the
// format that pg_restore reads. It has no data: those are parts of their own.
func (s *snapshot) dumpSchema(v *view) producer {
	return func(ctx context.Context, w io.Writer) error {
		err := s.in.runDump(ctx, w, "pg_dump", s.server.Major, "-Fc", "-Z0", "--snapshot="+v.id, lockWait,
			"--quote-all-identifiers", "--section=pre-data", "--section=post-data", "-d", conninfo(v.Name))
		if err != nil {
			return fmt.Errorf("dump the schema of %q: %w", v.Name, err)
		}
		return nil
	}
}
