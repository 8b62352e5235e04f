package neo4j

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"upkeep/internal/sandbox"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

const scratchPurpose = "neo4j"

// sibling is a scratch server with the means of an Instance. It judges content
// only: nothing about its health says anything about the target.
type sibling struct {
	in  *Instance
	srv *scratchServer
}

var (
	_ service.Restorer   = (*sibling)(nil)
	_ service.Verifier   = (*sibling)(nil)
	_ service.Queryer    = (*sibling)(nil)
	_ service.Identifier = (*sibling)(nil)
)

// Scratch starts an empty server of at least the copy's major version, on this machine
// or in a container of the server's image. It listens on the loopback address and has a
// password of its own.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	m := c.Manifest()
	srv, err := in.newScratchServer(ctx, m.Version, m.Attrs[attrDatabase])
	if err != nil {
		return nil, err
	}
	sib := &sibling{srv: srv, in: in.on(srv)}
	if isDump(c) {
		return sib, nil // it starts over the loaded store
	}
	if err := sib.raise(ctx, m); err != nil {
		return nil, errors.Join(err, sib.Close())
	}
	return sib, nil
}

func scratchProgram(ctx context.Context, find sandbox.Find, version string) (string, error) {
	major, err := strconv.Atoi(majorOf(version))
	if err != nil {
		return "", fmt.Errorf("the copy is of version %q: %w", version, service.ErrNoScratch)
	}
	path, _, err := find(ctx, "neo4j", major)
	if err != nil {
		return "", &service.Fault{ID: "neo4j.no-scratch-server", Args: service.Args{"major": major},
			Err: fmt.Errorf("%w: %w", service.ErrNoScratch, err)}
	}
	return path, nil
}

// on returns an instance that talks to a scratch server and nobody else.
func (in *Instance) on(srv *scratchServer) *Instance {
	env := in.env
	env.Secret = func(context.Context, secret.Ref) (string, error) { return srv.password, nil }
	return &Instance{env: env, cfg: Config{URL: "bolt://" + srv.address, User: firstLogin, Database: srv.database,
		Password: secret.Ref{Scheme: secret.Literal, Place: srv.password}}}
}

func (s *sibling) raise(ctx context.Context, m service.Manifest) error {
	s.srv.start(ctx)
	if err := s.srv.await(ctx, s.in); err != nil {
		return err
	}
	identity, err := s.in.Identity(ctx)
	if err == nil && identity == m.Identity {
		err = fmt.Errorf("the scratch server is the target itself: %w", service.ErrNoScratch)
	}
	return err
}

// Restore puts the copy in as it would be put into the target.
func (s *sibling) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	if isDump(c) {
		return s.load(ctx, c, sel, r)
	}
	return s.in.Restore(ctx, c, sel, r)
}

// Verify compares what came back.
func (s *sibling) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	return s.in.Verify(ctx, c, r)
}

// Query answers from the restored content.
func (s *sibling) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return s.in.Query(ctx, statement)
}

// Identity is that of a database drawn anew.
func (s *sibling) Identity(ctx context.Context) (string, error) { return s.in.Identity(ctx) }

// Close ends the server and removes its directory. It may be called again.
func (s *sibling) Close() error { return s.srv.box.Close() }

// Sweep ends the servers of killed runs and removes what they left.
func (in *Instance) Sweep(ctx context.Context) error {
	left, err := in.env.Leftovers(dumpPurpose)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	if err := in.discard(ctx, left); err != nil {
		return err
	}
	return sandbox.Sweep(ctx, in.env, scratchPurpose, tablePurpose, dumpPurpose)
}

// discard removes the containers that worked on the server's files in these
// directories.
func (in *Instance) discard(ctx context.Context, dirs []string) (err error) {
	if len(dirs) == 0 || in.env.RunsIn.Target == "" {
		return nil
	}
	peer, err := in.env.Peer(in.env.RunsIn.Target)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	if containers, ok := peer.(service.Containers); ok {
		return containers.Discard(ctx, dirs)
	}
	return nil
}
