package servicetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

// overBucket is a fixture of a bucket.
func overBucket(b *servicetest.Bucket) func(t *testing.T) servicetest.Fixture {
	return func(t *testing.T) servicetest.Fixture {
		return servicetest.Fixture{
			Config: new(struct{}),
			Damage: func(t *testing.T, scratch service.Instance) { damage(t, scratch) },
			Stop:   func(*testing.T) { b.SetDown(true) },
			Start:  func(*testing.T) { b.SetDown(false) },
			Only:   "object-00001*",
		}
	}
}

// damage changes one object of a scratch by restoring a copy that holds another
// content under the same name.
func damage(t *testing.T, scratch service.Instance) {
	t.Helper()
	other := servicetest.NewBucket(0)
	other.Put("object-000001", "damaged")
	in := opened(t, other.Kind(), servicetest.Env(t))
	snap, err := in.(service.Source).Snapshot(t.Context(), service.NoPrevious, service.Report{})
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	c, err := servicetest.Store(t.Context(), snap)
	if err != nil {
		t.Fatal(err)
	}
	if err := scratch.(service.Restorer).Restore(t.Context(), c, service.Selection{Only: "object-000001"}, service.Report{}); err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, kind service.Kind, env service.Env) service.Instance {
	t.Helper()
	in, err := kind.Open(env, kind.NewConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return in
}

func TestTheFakeKindConforms(t *testing.T) {
	b := servicetest.NewBucket(50)
	servicetest.Run(t, b.Kind(), overBucket(b))
}

// faultVariable names the fault for the child process of the test below.
const faultVariable = "SERVICETEST_FAULT"

// reports are the sub-test, or the words, by which each fault must be found.
var reports = map[servicetest.Fault]string{
	servicetest.CheckWrites:    "component/check ",
	servicetest.CheckMute:      "finding mute has no words",
	servicetest.CheckBlind:     "component/opening_never_connects ",
	servicetest.CheckDeaf:      "component/ends_with_its_context/check ",
	servicetest.OpenConnects:   "component/opening_never_connects ",
	servicetest.CloseOnce:      "close for the second time",
	servicetest.Unordered:      "component/backup ",
	servicetest.Twice:          "component/backup ",
	servicetest.Restless:       "two copies of the same content",
	servicetest.VerifyBlind:    "verify finds an empty scratch to be ok",
	servicetest.VerifyTrusting: "component/damaged_copies/truncated ",
	servicetest.RestoreAdds:    "component/drill ",
	servicetest.ScratchStays:   "a closed scratch left",
	servicetest.SweepNothing:   "component/sweep ",
	servicetest.ExtractOut:     "no clean relative name",
	servicetest.ExtractBare:    "component/extract ",
	servicetest.LeakGoroutine:  "goroutines outlive their instance",
}

func TestEachFaultIsFound(t *testing.T) {
	if fault := servicetest.Fault(os.Getenv(faultVariable)); fault != "" {
		b := servicetest.NewBucket(20)
		servicetest.Run(t, servicetest.Faulty(b, fault), overBucket(b))
		return
	}
	for _, fault := range servicetest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			out, err := suiteOver(t, fault)
			var exit *exec.ExitError
			switch {
			case !errors.As(err, &exit):
				t.Errorf("the suite finds nothing (%v)", err)
			case strings.Contains(out, "panic:") || !strings.Contains(out, reports[fault]):
				t.Errorf("the suite does not report %q:\n%s", reports[fault], out)
			}
		})
	}
	if out, err := suiteOver(t, "none"); err != nil {
		t.Errorf("a kind without a fault fails: %v\n%s", err, out)
	}
}

// suiteOver runs the suite over a faulty kind in a process of its own.
func suiteOver(t *testing.T, fault servicetest.Fault) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestEachFaultIsFound$")
	cmd.Env = append(os.Environ(), faultVariable+"="+string(fault))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSlowEndsWithItsContext(t *testing.T) {
	in := opened(t, servicetest.Slow(), servicetest.Env(t))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := in.(service.Checker).Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestUnchangedObjectsAreNotOpenedAgain(t *testing.T) {
	b := servicetest.NewBucket(100_000)
	in := opened(t, b.Kind(), servicetest.Env(t)).(service.Source)
	snapshot := func() service.Snapshot {
		snap, err := in.Snapshot(t.Context(), service.NoPrevious, service.Report{})
		if err != nil {
			t.Fatal(err)
		}
		return snap
	}
	first, err := servicetest.Store(t.Context(), snapshot())
	if err != nil {
		t.Fatal(err)
	}
	before := b.Opened()
	b.Put("object-000007", "new")
	second, err := servicetest.StoreAfter(t.Context(), snapshot(), first)
	if err != nil {
		t.Fatal(err)
	}
	if opened := b.Opened() - before; before != 100_000 || opened != 1 {
		t.Errorf("%d parts opened, then %d; want 100000, then 1", before, opened)
	}
	if n := count(t, second); n != 100_000 {
		t.Errorf("%d parts", n)
	}
}

func TestFaultsOfAComponentReachTheCaller(t *testing.T) {
	cases := map[servicetest.Fault]error{
		servicetest.ListFails:   servicetest.ErrBroken,
		servicetest.ShortStream: servicetest.ErrBroken,
		servicetest.AlwaysMoves: service.ErrChanged,
		servicetest.PartGone:    nil,
	}
	for fault, want := range cases {
		t.Run(string(fault), func(t *testing.T) {
			in := opened(t, servicetest.Faulty(servicetest.NewBucket(5), fault), servicetest.Env(t))
			snap, err := in.(service.Source).Snapshot(t.Context(), service.NoPrevious, service.Report{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := servicetest.Store(t.Context(), snap); !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
		})
	}
}
