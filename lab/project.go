package lab

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed compose/docker-compose.yml
var stackFile []byte

// Stack is a small compose project on an engine: lab/compose/docker-compose.yml.
type Stack struct {
	Engine *Engine
	Dir    string // of its files; its base name is the project's
	File   string
}

// StackPassword is a secret in the stack's .env.
const StackPassword = "stack-pass-1"

// WriteStack writes the files of a project into a new directory below dir.
func (e *Engine) WriteStack(dir, name string) (Stack, error) {
	s := Stack{Engine: e, Dir: filepath.Join(dir, name)}
	s.File = filepath.Join(s.Dir, "docker-compose.yml")
	if err := os.MkdirAll(filepath.Join(s.Dir, "seed"), 0o755); err != nil {
		return s, fmt.Errorf("make the directory of a stack: %w", err)
	}
	if err := os.WriteFile(s.File, stackFile, 0o600); err != nil {
		return s, fmt.Errorf("write a stack: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, ".env"), []byte("STORE_PASSWORD="+StackPassword+"\n"), 0o600); err != nil {
		return s, fmt.Errorf("write the variables of a stack: %w", err)
	}
	return s, nil
}

// Up brings the stack up as its file says now, and waits until it is healthy.
func (s Stack) Up(ctx context.Context, args ...string) error {
	_, err := s.Engine.Compose(ctx, s.Dir, append([]string{"up", "--detach", "--remove-orphans", "--timeout", "1"}, args...)...)
	return err
}

// Down removes the stack with its volumes.
func (s Stack) Down(ctx context.Context) error {
	_, err := s.Engine.Compose(ctx, s.Dir, "down", "--volumes", "--remove-orphans", "--timeout", "1")
	return err
}
