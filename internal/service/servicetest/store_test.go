package servicetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// view is a snapshot made of ready parts.
type view []service.Part

func (v view) Parts(context.Context) iter.Seq2[service.Part, error] {
	return func(yield func(service.Part, error) bool) {
		for _, p := range v {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func (v view) Manifest(ctx context.Context) (service.Manifest, error) {
	return service.Manifest{Version: "1"}, ctx.Err()
}

func (v view) Close() error { return nil }

// tries yields one content or error per call.
func tries(outcomes ...any) func(context.Context) (io.ReadCloser, error) {
	next := 0
	return func(context.Context) (io.ReadCloser, error) {
		outcome := outcomes[min(next, len(outcomes)-1)]
		next++
		if err, bad := outcome.(error); bad {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(outcome.([]byte))), nil
	}
}

func TestStoreGivesBackWhatWasRead(t *testing.T) {
	hole := append(make([]byte, 1<<20), "end"...)
	source := view{{Name: "dir/"}}
	for i := range 200 {
		content := fmt.Appendf(nil, "content %d", i)
		source = append(source, service.Part{Name: fmt.Sprintf("n%03d", i), Open: tries(content)})
	}
	source = append(source, service.Part{Name: "sparse", Open: tries(hole)}, service.Part{Name: "zeros", Open: tries(make([]byte, 3<<20))})
	stored, err := servicetest.Store(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range pairs(source, stored.Parts(t.Context())) {
		if err != nil {
			t.Fatal(err)
		}
		if source[i].Open == nil {
			continue
		}
		p, err := stored.Part(t.Context(), source[i].Name)
		if err != nil {
			t.Fatal(err)
		}
		want, got := content(t, source[i]), content(t, p)
		if !bytes.Equal(want, got) || int64(len(want)) != p.Size {
			t.Errorf("%s: %d bytes stored, size %d, want %d", p.Name, len(got), p.Size, len(want))
		}
	}
}

// pairs yields the index of each part of got after comparing its name.
func pairs(want view, got iter.Seq2[service.Part, error]) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		i := 0
		for p, err := range got {
			if err == nil && p.Name != want[i].Name {
				err = fmt.Errorf("part %q in place of %q", p.Name, want[i].Name)
			}
			if !yield(i, err) {
				return
			}
			i++
		}
		if i != len(want) {
			yield(i, fmt.Errorf("%d parts, want %d", i, len(want)))
		}
	}
}

func content(t *testing.T, p service.Part) []byte {
	t.Helper()
	r, err := p.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStoreSteersByTheErrorOfAPart(t *testing.T) {
	broken := errors.New("broken")
	cases := map[string]struct {
		open  func(context.Context) (io.ReadCloser, error)
		parts int
		want  error
	}{
		"changed once is read again":  {tries(service.ErrChanged, []byte("x")), 1, nil},
		"changed twice fails":         {tries(service.ErrChanged), 0, service.ErrChanged},
		"gone is left out":            {tries(service.ErrNotFound), 0, nil},
		"anything else fails the lot": {tries(broken), 0, broken},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			stored, err := servicetest.Store(t.Context(), view{{Name: "a", Open: c.open}})
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if n := count(t, stored); n != c.parts {
				t.Errorf("%d parts, want %d", n, c.parts)
			}
		})
	}
}

func count(t *testing.T, c service.Copy) int {
	t.Helper()
	n := 0
	for _, err := range c.Parts(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestStoreRefusesPartsOutOfOrder(t *testing.T) {
	for _, names := range [][2]string{{"b", "a"}, {"a", "a"}} {
		_, err := servicetest.Store(t.Context(), view{{Name: names[0]}, {Name: names[1]}})
		if err == nil {
			t.Errorf("%q was stored", names)
		}
	}
}

func TestEnvRunsAndFindsPrograms(t *testing.T) {
	env := servicetest.Env(t)
	var out bytes.Buffer
	err := env.Run(t.Context(), service.Cmd{Program: "sh", Args: []string{"-c", "echo $SECRET; id -un"}, Env: []string{"SECRET=x"}, Stdout: &out, User: "nobody"})
	if err != nil || !bytes.HasPrefix(out.Bytes(), []byte("x\n")) {
		t.Errorf("%v, printed %q", err, out.String())
	}
	if _, _, err := env.Find(t.Context(), "no-such-program", 0); !errors.Is(err, service.ErrNoTool) {
		t.Errorf("error %v", err)
	}
}

func TestLaterFindsWhatAnEarlierRunLeft(t *testing.T) {
	env := servicetest.Env(t)
	dir, remove, err := env.Dir("drill")
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	if left, err := env.Leftovers("drill"); err != nil || len(left) != 0 {
		t.Errorf("a run's own directories are its leftovers: %q, %v", left, err)
	}
	left, err := servicetest.Later(t, env).Leftovers("drill")
	if err != nil || len(left) != 1 || left[0] != dir {
		t.Errorf("leftovers %q, want %q; %v", left, dir, err)
	}
}
