package s3

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/command"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

const (
	scratchPurpose = "drill"
	minioProgram   = "minio"
	// factScratch is the fact that says in what a copy was proven.
	factScratch = "scratch"
)

// sibling is a private MinIO with the means of an Instance.
type sibling struct {
	in      *Instance
	srv     *server
	program string // and version
	removed bool
}

var (
	_ service.Restorer   = (*sibling)(nil)
	_ service.Verifier   = (*sibling)(nil)
	_ service.Identifier = (*sibling)(nil)
	_ service.Lister     = (*sibling)(nil)
)

// Scratch starts an empty MinIO where the program is found and takes the copy's keys,
// else it makes a directory. A directory proves that the copy can be read back
// whole, not that a server takes it.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	program, version, err := in.env.Find(ctx, minioProgram, 0)
	if unfit := c.Manifest().Attrs[attrAwkward]; err != nil || unfit != "0" && unfit != "" {
		return in.newFolder()
	}
	srv, err := in.newServer(program)
	if err != nil {
		return nil, err
	}
	sib := &sibling{srv: srv, in: in.on(srv), program: strings.TrimSpace(minioProgram + " " + version)}
	if err = srv.start(ctx); err == nil {
		err = srv.await(ctx, sib.in)
	}
	if err != nil {
		return nil, errors.Join(err, sib.Close())
	}
	return sib, nil
}

// on returns an instance that talks to a scratch server and nobody else.
func (in *Instance) on(srv *server) *Instance {
	env, cfg := in.env, in.cfg
	cfg.Endpoint, cfg.CA, cfg.Region, cfg.PathStyle = "http://"+srv.address, "", "us-east-1", true
	cfg.AccessKey = secret.Ref{Scheme: secret.Literal, Place: srv.access}
	cfg.SecretKey = secret.Ref{Scheme: secret.Literal, Place: srv.private}
	env.Secret = func(_ context.Context, ref secret.Ref) (string, error) { return ref.Place, nil }
	env.State = forgetful{}
	return &Instance{env: env, cfg: cfg, only: srv.address}
}

// forgetful is the state of a scratch: none.
type forgetful struct{}

func (forgetful) Get(context.Context, string) (string, error) { return "", nil }
func (forgetful) Set(context.Context, string, string) error   { return nil }

// Restore puts the copy into the server, as it would into the target.
func (s *sibling) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	return s.in.Restore(ctx, c, sel, r)
}

// Verify reads everything back from the server.
func (s *sibling) Verify(ctx context.Context, c service.Copy, r service.Report) (service.Verdict, error) {
	v, err := s.in.Verify(ctx, c, r)
	v.Set(factScratch, s.program)
	return v, err
}

// List lists what was restored.
func (s *sibling) List(ctx context.Context, prefix string) iter.Seq2[service.Key, error] {
	return s.in.List(ctx, prefix)
}

// Identity names the address, which is nobody else's.
func (s *sibling) Identity(ctx context.Context) (string, error) { return s.in.Identity(ctx) }

// Close ends the server and removes its directory. It may be called again.
func (s *sibling) Close() error {
	if err := errors.Join(s.in.Close(), s.srv.stop()); err != nil || s.removed {
		return err
	}
	s.removed = true
	return s.srv.remove()
}

// Sweep ends the servers of killed runs, known by their working directory, and
// removes what they left.
func (in *Instance) Sweep(ctx context.Context) error {
	left, err := in.env.Leftovers(scratchPurpose)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, dir := range left {
		if err := errors.Join(command.KillIn(dir), os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return ctx.Err()
}

// longestElement is what a file system takes as one name, and MinIO with it; bytes.
const longestElement = 255

// fitsMinIO reports whether MinIO takes a key: it stores each as a path.
func fitsMinIO(key string) bool {
	if !utf8.ValidString(key) {
		return false
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if element == "" || element == "." || element == ".." || len(element) > longestElement {
			return false
		}
	}
	return true
}

// ready asks for something that only a server with all its parts up can answer.
func (in *Instance) ready(ctx context.Context) error {
	c, err := in.connect(ctx)
	if err != nil {
		return err
	}
	_, err = c.ListBuckets(ctx)
	if code := codeOf(err); code == "XMinioServerNotInitialized" || code == minio.InternalError {
		return fmt.Errorf("%w: %w", err, service.ErrUnreachable)
	}
	return explain(err)
}
