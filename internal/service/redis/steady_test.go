package redis

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"testing"
	"testing/iotest"
	"time"
)

func TestCopiesOfUnchangedDataAreEqual(t *testing.T) {
	s := start(t, "pw", "maxmemory-policy noeviction")
	seed(t, s)
	in := declare(t, s)
	first := backup(t, in)
	eventually(t, func() error { // the server counts whole seconds
		if time.Since(first.Manifest().Taken) < 1500*time.Millisecond {
			return errors.New("the clock stands where it stood")
		}
		return nil
	})
	second := backup(t, in)
	if first.Manifest().Taken.Equal(second.Manifest().Taken) {
		t.Error("both copies say they were taken at the same time")
	}
	if a, b := dumpBytes(t, first), dumpBytes(t, second); !bytes.Equal(a, b) {
		t.Errorf("copies of %d and %d bytes differ", len(a), len(b))
	}
	out, err := exec.Command("redis-check-rdb", written(t, dumpBytes(t, second))).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Checksum OK")) || bytes.Contains(out, []byte("repl-id")) {
		t.Errorf("redis-check-rdb: %v\n%s", err, out)
	}
}

func TestSteadyKeepsWhatItDoesNotKnow(t *testing.T) {
	for name, file := range samples(t) {
		got, err := io.ReadAll(newSteady(io.NopCloser(iotest.OneByteReader(bytes.NewReader(file)))))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		before, err1 := take(bytes.NewReader(file), nil)
		after, err2 := take(bytes.NewReader(got), nil)
		if (err1 == nil) != (err2 == nil) || err1 == nil && before.counts()["keys"] != after.counts()["keys"] {
			t.Errorf("%s: read as %v, then as %v", name, err1, err2)
		}
	}
	for _, text := range []string{"not an RDB at all", "REDIS0011\xfa\xc7"} {
		if got, _ := io.ReadAll(newSteady(io.NopCloser(bytes.NewReader([]byte(text))))); string(got) != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSteadyNeverSealsABrokenFile(t *testing.T) {
	broken := errors.New("the census found damage")
	for name, file := range samples(t) {
		from := io.MultiReader(bytes.NewReader(file[:len(file)-3]), iotest.ErrReader(broken))
		if _, err := io.ReadAll(newSteady(io.NopCloser(from))); !errors.Is(err, broken) {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}
