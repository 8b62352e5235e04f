package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"upkeep/internal/command"
	"upkeep/internal/service"
)

const scratchPurpose = "drill"

// sibling is a scratch node with the means of an Instance. It judges definitions
// only: nothing about its health says anything about the target.
type sibling struct {
	in      *Instance
	n       *privateNode
	copied  definitions
	removed bool // its directory
}

var (
	_ service.Restorer   = (*sibling)(nil)
	_ service.Verifier   = (*sibling)(nil)
	_ service.Identifier = (*sibling)(nil)
)

// Scratch starts an empty node of its own: random login, own cookie and port mapper,
// and nothing but its management API and its distribution on loopback. A copy that
// is not what its manifest promises is refused before.
func (in *Instance) Scratch(ctx context.Context, c service.Copy, _ service.Report) (service.Instance, error) {
	_, copied, err := fromCopy(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := in.newNode(ctx)
	if err != nil {
		return nil, err
	}
	sib := &sibling{n: n, in: in.on(n), copied: copied}
	if err := sib.start(ctx); err != nil {
		return nil, errors.Join(err, sib.Close())
	}
	return sib, nil
}

// on returns an instance that talks to the scratch node and to nobody else.
func (in *Instance) on(n *privateNode) *Instance {
	env, cfg := in.env, in.cfg
	env.Secret = nil // its password is known
	cfg.Management, cfg.CA = n.management(), ""
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Instance{env: env, cfg: cfg, at: address{host: n.management(), user: n.user, vhost: "/"}, fixed: n.password,
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: stay}}
}

func (s *sibling) start(ctx context.Context) error {
	if err := s.n.start(); err != nil {
		return err
	}
	return s.n.await(ctx, func(ctx context.Context) error {
		_, err := s.in.overview(ctx)
		return err
	})
}

// Restore imports the copy.
func (s *sibling) Restore(ctx context.Context, c service.Copy, sel service.Selection, r service.Report) error {
	return s.in.Restore(ctx, c, sel, r)
}

// Verify compares; the login of the scratch node, and the virtual host that every new
// node has, are not counted where the copy has none of that name.
func (s *sibling) Verify(ctx context.Context, c service.Copy, _ service.Report) (service.Verdict, error) {
	return s.in.verify(ctx, c, func(class, name string) bool {
		switch class {
		case "users":
			return name == s.n.user
		case "permissions":
			return strings.HasPrefix(name, s.n.user+" ") // whoever makes a virtual host may use it
		case "vhosts":
			return name == "/" && !s.copied.has("vhosts", "/")
		case "global_parameters":
			return !s.copied.has("global_parameters", name) // what a node gives itself
		}
		return false
	})
}

func (d definitions) has(class, name string) bool {
	for _, i := range d[class] {
		if i.name == name {
			return true
		}
	}
	return false
}

// Identity names the port, which is nobody else's.
func (s *sibling) Identity(ctx context.Context) (string, error) { return s.in.Identity(ctx) }

// Close ends the node and removes its directory. It may be called again.
func (s *sibling) Close() error {
	if err := s.n.stop(); err != nil || s.removed {
		return err
	}
	s.removed = true
	return s.n.remove()
}

// Sweep ends the nodes of killed runs, known by their working directory, and removes
// what they left.
func (in *Instance) Sweep(context.Context) error {
	left, err := in.env.Leftovers(scratchPurpose)
	if err != nil {
		return fmt.Errorf("look for leftovers: %w", err)
	}
	for _, dir := range left {
		if err := errors.Join(command.KillIn(dir), os.RemoveAll(dir)); err != nil {
			return fmt.Errorf("remove %s: %w", dir, err)
		}
	}
	return nil
}

// Probe says whether a drill can take place here.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	need := service.Need{Name: "rabbitmq-server", Use: "drill"}
	if program, err := nodeProgram(); err == nil {
		need.Found = program
	}
	mapper := service.Need{Name: "epmd", Use: "drill"}
	if path, _, err := in.env.Find(ctx, "epmd", 0); err == nil {
		mapper.Found = path
	}
	return []service.Need{need, mapper}
}

// newNode takes a directory and makes it ready.
func (in *Instance) newNode(ctx context.Context) (*privateNode, error) {
	program, err := nodeProgram()
	if err != nil {
		return nil, err
	}
	mapper, _, err := in.env.Find(ctx, "epmd", 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrNoScratch)
	}
	owner, err := command.Unprivileged("rabbitmq", "nobody")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrNoScratch)
	}
	dir, remove, err := in.env.Dir(scratchPurpose)
	if err != nil {
		return nil, fmt.Errorf("make room for a scratch node: %w", err)
	}
	n := &privateNode{program: program, mapper: mapper, dir: dir, remove: remove,
		user: "upkeep-" + rand.Text(), password: rand.Text(), owner: owner}
	if err := n.prepare(ctx); err != nil {
		return nil, errors.Join(err, remove())
	}
	return n, nil
}
