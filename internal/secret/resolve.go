package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// Sentinels of Resolve.
var (
	ErrUnset = errors.New("nothing is stored there") // the place is readable and has no such value, or an empty one
	ErrForm  = errors.New("the reference is not well formed")
)

// commandLimit is how long a program may take to print a secret: long enough
// for a vault across the network, short enough for a check.
const commandLimit = 30 * time.Second

// maxFile bounds what is read of a file with a secret, in bytes.
const maxFile = 1 << 20

// Resolver reads what references point at. Its errors name the reference and
// never a value.
type Resolver struct {
	Base   string              // directory that relative paths start from
	Getenv func(string) string // nil: the environment of this process
	// Run runs a program and returns what it printed; nil refuses command:.
	Run func(ctx context.Context, argv []string) ([]byte, error)
	// Seen is told every value before it is returned, so that output can be
	// redacted. It may be nil.
	Seen func(value string)
}

// Resolve returns the secret. An empty one is an error: no service is meant to
// be entered with an empty password that somebody forgot to fill in.
func (r *Resolver) Resolve(ctx context.Context, ref Ref) (string, error) {
	value, err := r.read(ctx, ref)
	if err == nil && value == "" {
		err = ErrUnset
	}
	if err != nil {
		return "", fmt.Errorf("read secret %s: %w", ref, err)
	}
	if r.Seen != nil {
		r.Seen(value)
	}
	return value, nil
}

func (r *Resolver) read(ctx context.Context, ref Ref) (string, error) {
	switch ref.Scheme {
	case Env:
		return r.getenv(ref.Place), nil
	case File:
		return r.file(ref.Place)
	case Dotenv:
		return r.dotenv(ref.Place)
	case Compose:
		return r.compose(ref.Place)
	case Command:
		return r.command(ctx, ref.Argv)
	case Literal:
		return ref.Place, nil
	}
	return "", fmt.Errorf("no secret is declared: %w", ErrForm)
}

func (r *Resolver) getenv(name string) string {
	if r.Getenv != nil {
		return r.Getenv(name)
	}
	return os.Getenv(name)
}

func (r *Resolver) file(path string) (string, error) {
	content, err := r.readFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(string(content), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

func (r *Resolver) readFile(path string) ([]byte, error) {
	if path == "" {
		return nil, ErrForm
	}
	path = r.path(path)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("%s is not a file of at most %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

func (r *Resolver) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.Base, path)
}

// dotenv reads FILE#KEY the way compose does, ${OTHER} included.
func (r *Resolver) dotenv(place string) (string, error) {
	path, key, found := strings.Cut(place, "#")
	if !found || key == "" {
		return "", fmt.Errorf("dotenv:FILE#KEY is wanted: %w", ErrForm)
	}
	content, err := r.readFile(path)
	if err != nil {
		return "", err
	}
	values, err := r.parseDotenv(path, content)
	return values[key], err
}

func (r *Resolver) parseDotenv(path string, content []byte) (map[string]string, error) {
	content = bytes.TrimPrefix(content, []byte("\uFEFF")) // some editors put it in front
	values, err := dotenv.UnmarshalBytesWithLookup(content, r.lookup)
	if err != nil {
		// The parser's own message quotes the line, and with it a secret.
		return nil, fmt.Errorf("%s is not a well-formed .env file", path)
	}
	return values, nil
}

func (r *Resolver) lookup(name string) (string, bool) {
	value := r.getenv(name)
	return value, value != ""
}

// command returns the first line that the program prints.
func (r *Resolver) command(ctx context.Context, argv []string) (string, error) {
	if len(argv) == 0 || r.Run == nil {
		return "", fmt.Errorf("no program can be run: %w", ErrForm)
	}
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	printed, err := r.Run(ctx, argv)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(printed), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
