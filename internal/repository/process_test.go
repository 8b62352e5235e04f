package repository_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

const childVariable = "UPKEEP_TEST_REPOSITORY"

// TestMain plays the process that is killed in the middle of a copy.
func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		fmt.Fprintln(os.Stderr, storeForever(path))
		os.Exit(1)
	}
	code := m.Run()
	if dir, err := emptyRepository(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// storeForever stores one target, says so, and hangs in the second.
func storeForever(path string) error {
	ctx := context.Background()
	r, err := repository.Open(ctx, repository.Options{Path: path, Password: password, CacheDir: path + "-cache"})
	if err != nil {
		return err
	}
	w, err := r.Begin(ctx, header("p1", day(1)))
	if err != nil {
		return err
	}
	if _, err := w.Store(ctx, "files", "fake", texts("a", "1"), repository.StoreOptions{}, service.Report{}); err != nil {
		return err
	}
	hanging := (&fakeSnapshot{}).add("x", noise(5, 12<<20)).add("y", nil)
	hanging.parts[1].Open = func(ctx context.Context) (io.ReadCloser, error) {
		fmt.Println("storing")
		return io.NopCloser(waiting{ctx}), nil
	}
	_, err = w.Store(ctx, "db", "fake", hanging, repository.StoreOptions{}, service.Report{})
	return err
}

func TestAKilledBackupGoesOn(t *testing.T) {
	r, path := create(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("storing"))); err != nil {
		t.Fatal(err)
	}
	if err := r.Maintain(t.Context(), true); !errors.Is(err, service.ErrBusy) {
		t.Errorf("maintenance while another process stores: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	points, err := r.Points(t.Context())
	if err != nil || len(points) != 1 || points[0].Complete || len(points[0].Targets) != 1 {
		t.Fatalf("after the kill: %+v (%v)", points, err)
	}
	w := begin(t, r, header("p1", day(9)))
	if stored := w.Stored(); len(stored) != 1 || stored[0].Target != "files" {
		t.Errorf("stored before the kill: %+v", stored)
	}
	store(t, w, "db", texts("x", "2"))
	if p := seal(t, w); !p.Complete || len(p.Targets) != 2 || !p.Taken.Equal(day(1)) {
		t.Errorf("sealed as %+v", p)
	}
	v, err := r.Verify(t.Context(), "p1", repository.VerifyOptions{}, service.Report{})
	if err != nil || len(v.Damaged) > 0 || v.Parts != 2 {
		t.Errorf("verified %+v (%v)", v, err)
	}
}

func TestTwoProcessesWriteAtOnce(t *testing.T) {
	first, path := create(t)
	second := reopen(t, path)
	var wg sync.WaitGroup
	for i, r := range []*repository.Repository{first, second} {
		wg.Go(func() {
			for n := range 4 {
				w, err := r.Begin(t.Context(), header(fmt.Sprintf("p%d-%d", i, n), day(1+n)))
				if err == nil {
					_, err = w.Store(t.Context(), "files", "fake", texts("same", "1", "own", fmt.Sprint(i, n)), repository.StoreOptions{}, service.Report{})
				}
				if err == nil {
					_, err = w.Seal(t.Context(), repository.Declaration{}, "")
				}
				if err == nil {
					err = w.Close(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, r := range []*repository.Repository{first, second} {
		points, err := r.Points(t.Context())
		if err != nil || len(points) != 8 {
			t.Fatalf("%d points (%v)", len(points), err)
		}
		for _, p := range points {
			v, err := r.Verify(t.Context(), p.ID, repository.VerifyOptions{}, service.Report{})
			if err != nil || len(v.Damaged) > 0 || v.Parts != 2 || !p.Complete {
				t.Errorf("%s: %+v (%v)", p.ID, v, err)
			}
		}
	}
}

// smallDisk mounts a file system of 48 MiB, which only root may.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
		t.Skipf("a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesNothing(t *testing.T) {
	path := smallDisk(t) + "/copies"
	r, err := repository.Create(t.Context(), repository.Options{Path: path, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeRepository(t, r) })
	for n := range 8 { // more records than kopia reads without merging them
		backUp(t, r, fmt.Sprint("p", n), day(1+n), texts("a", fmt.Sprint(n)))
	}
	w := begin(t, r, header("big", day(20)))
	big := &fakeSnapshot{}
	for i := range 10 {
		big.add(fmt.Sprint("part ", i), noise(uint64(i+1), 8<<20))
	}
	_, err = w.Store(t.Context(), "files", "fake", big, repository.StoreOptions{}, service.Report{})
	if !errors.Is(err, service.ErrNoSpace) {
		t.Fatalf("storing 80 MB on 48: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	fillUp(t, path)
	again := reopen(t, path)
	points, err := again.Points(t.Context())
	if err != nil || len(points) != 9 || points[0].Complete {
		t.Fatalf("points on a full disk: %+v (%v)", points, err)
	}
	for _, p := range points[1:] {
		v, err := again.Verify(t.Context(), p.ID, repository.VerifyOptions{}, service.Report{})
		if err != nil || len(v.Damaged) > 0 || v.Parts != 1 {
			t.Errorf("%s on a full disk: %+v (%v)", p.ID, v, err)
		}
	}
	if u, err := again.Usage(t.Context()); err != nil || u.Free > 0 || u.Total != 48<<20 || u.Bytes < 1<<20 {
		t.Errorf("usage %+v (%v)", u, err)
	}
	if _, err := again.Begin(t.Context(), header("next", day(21))); !errors.Is(err, service.ErrNoSpace) {
		t.Errorf("beginning a point on a full disk: %v", err)
	}
}

func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path + "/../filler")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.WriteString(strings.Repeat("x", 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

func TestMaintenanceKeepsWhatPointsNeed(t *testing.T) {
	path := t.TempDir() + "/copies"
	now := time.Now()
	r, err := repository.Create(t.Context(), repository.Options{Path: path, Password: password, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeRepository(t, r) })
	backUp(t, r, "kept", day(1), texts("a", "1", "b", "2"))
	backUp(t, r, "gone", day(2), texts("a", "1", "b", "3"))
	w := begin(t, r, header("unfinished", day(3)))
	store(t, w, "files", texts("c", "4"))
	if err := r.Maintain(t.Context(), true); !errors.Is(err, service.ErrBusy) {
		t.Errorf("maintenance while a point is written: %v", err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), "gone"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("removing it again: %v", err)
	}
	for _, full := range []bool{false, true} {
		if err := r.Maintain(t.Context(), full); err != nil {
			t.Fatal(err)
		}
	}
	expectPoints(t, r, "unfinished", "kept")
	left, fresh := path+"/p/a.f.tmp.0", path+"/p/a.f.tmp.1" // of a killed process, and of one at work
	for file, age := range map[string]time.Duration{left: 48 * time.Hour, fresh: time.Minute} {
		written := time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, written, written)); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(8 * 24 * time.Hour)
	if err := r.Maintain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	expectPoints(t, r, "kept")
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file left by a killed process: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a file that may be in use: %v", err)
	}
	if v, err := r.Verify(t.Context(), "kept", repository.VerifyOptions{}, service.Report{}); err != nil || len(v.Damaged) > 0 || v.Parts != 2 {
		t.Errorf("after maintenance: %+v (%v)", v, err)
	}
}

func expectPoints(t *testing.T, r *repository.Repository, want ...string) {
	t.Helper()
	points, err := r.Points(t.Context())
	var got []string
	for _, p := range points {
		got = append(got, p.ID)
	}
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("points %q (%v), want %q", got, err, want)
	}
}
