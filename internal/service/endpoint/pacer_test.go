package endpoint

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// limiting answers 429 with a Retry-After as long as it is on, and counts.
type limiting struct {
	on    atomic.Bool
	after string
	asked atomic.Int64
}

func (l *limiting) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	l.asked.Add(1)
	if l.on.Load() {
		w.Header().Set("Retry-After", l.after)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func TestLimitedProbeIsUnknownAndWaits(t *testing.T) {
	server := &limiting{after: "60"}
	server.on.Store(true)
	url := serving(t, server.ServeHTTP)
	env := servicetest.Env(t)
	now := time.Now()
	env.Now = func() time.Time { return now }
	shared := newPacer()
	look := func(in *Instance) service.Severity {
		got, _ := check(t, in)
		return got["probe-limited"].Severity
	}
	in := pointWith(t, shared, env, url, "")
	first, second := look(in), look(in)
	if first != service.Unknown || second != service.Unknown || server.asked.Load() != 1 {
		t.Fatalf("asked %d times", server.asked.Load())
	}
	server.on.Store(false)
	now = now.Add(59 * time.Second)
	if look(in) != service.Unknown || server.asked.Load() != 1 {
		t.Errorf("asked again too early")
	}
	if neighbour := pointWith(t, shared, servicetest.Env(t), url+"/other", ""); look(neighbour) != service.Unknown || server.asked.Load() != 1 {
		t.Errorf("another endpoint of the same server was asked")
	}
	if later := point(t, env, url, ""); look(later) != service.Unknown || server.asked.Load() != 1 {
		t.Errorf("a later run of the program asked too early")
	}
	now = now.Add(2 * time.Second)
	if look(in) != "" || server.asked.Load() != 2 {
		t.Errorf("not asked again, %d requests", server.asked.Load())
	}
}

func TestExpected429IsNoLimit(t *testing.T) {
	server := &limiting{after: "60"}
	server.on.Store(true)
	in := point(t, servicetest.Env(t), serving(t, server.ServeHTTP), "expect: {status: 429}")
	for range 2 {
		if got, _ := check(t, in); len(got) > 0 {
			t.Errorf("found %s", slugs(got))
		}
	}
}

func TestRetryAfterIsReadWithCare(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              time.Minute,
		"30":                            30 * time.Second,
		" 30 ":                          30 * time.Second,
		"0":                             0,
		"-5":                            time.Minute,
		"soon":                          time.Minute,
		"99999999999999999999":          time.Minute,
		"9223372036854775807":           time.Hour,
		"Sun, 22 Nov 2026 02:00:10 GMT": 10 * time.Second,
		"Sun, 22 Nov 2026 01:00:00 GMT": time.Minute,
		"Sun, 22 Nov 2099 02:00:10 GMT": time.Hour,
	} {
		if got := retryAt(header, now).Sub(now); got != want {
			t.Errorf("%q waits %s, want %s", header, got, want)
		}
	}
}

func TestBudgetIsSharedByAllEndpointsOfAServer(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	p := newPacer()
	for i, want := range []time.Duration{0, 4 * time.Second, 8 * time.Second} {
		wait, err := p.reserve("host:80", now, 4*time.Second)
		if err != nil || wait != want {
			t.Errorf("turn %d waits %s, %v", i, wait, err)
		}
	}
	var h *held
	if _, err := p.reserve("host:80", now, 4*time.Second); !errors.As(err, &h) || h.limited || !h.until.Equal(now.Add(12*time.Second)) {
		t.Errorf("a long queue gives %v", err)
	}
	if wait, err := p.reserve("host:81", now, 4*time.Second); err != nil || wait != 0 {
		t.Errorf("another server waits %s, %v", wait, err)
	}
	if wait, err := p.reserve("host:80", now.Add(time.Minute), 4*time.Second); err != nil || wait != 0 {
		t.Errorf("after a rest it waits %s, %v", wait, err)
	}
}

func TestBudgetHoldsAcrossRuns(t *testing.T) {
	server := &limiting{}
	url := serving(t, server.ServeHTTP)
	env := servicetest.Env(t)
	now := time.Now()
	env.Now = func() time.Time { return now }
	for range 2 {
		got, _ := check(t, point(t, env, url, "budget: 1/m"))
		if again := server.asked.Load(); again != 1 {
			t.Errorf("asked %d times", again)
		}
		if held := got["budget-spent"].Severity; held != "" && held != service.Unknown {
			t.Errorf("found %s", slugs(got))
		}
	}
	now = now.Add(-24 * time.Hour) // the clock was wrong before
	if got, _ := check(t, point(t, env, url, "budget: 1/m")); len(got) > 0 || server.asked.Load() != 2 {
		t.Errorf("found %s after %d requests", slugs(got), server.asked.Load())
	}
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	in := point(t, servicetest.Env(t), answering(t, 200, ""), "budget: 10/m")
	check(t, in)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Check(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, service.ErrUnreachable) {
		t.Errorf("error is %v", err)
	}
}

// forgetful is a State that can be read and not written.
type forgetful struct{}

func (forgetful) Get(context.Context, string) (string, error) { return "", nil }
func (forgetful) Set(context.Context, string, string) error   { return os.ErrPermission }

func TestLimitThatCannotBeKeptIsBothFindingAndError(t *testing.T) {
	server := &limiting{after: "60"}
	server.on.Store(true)
	env := servicetest.Env(t)
	env.State = forgetful{}
	v, err := point(t, env, serving(t, server.ServeHTTP), "").Check(t.Context())
	if len(v.Findings) != 1 || !errors.Is(err, os.ErrPermission) || strings.Contains(err.Error(), "not asked") {
		t.Errorf("found %v, error %v", v.Findings, err)
	}
}
