package repository_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep/internal/repository"
	"upkeep/internal/service"
)

func dirSnapshot(t *testing.T, root string) *snapshot {
	s := &snapshot{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		s.parts = append(s.parts, service.Part{
			Name: strings.TrimPrefix(path, root+"/"), Size: info.Size(),
			Identity: fmt.Sprint(info.Size(), info.ModTime().UnixNano()),
			Open: func(context.Context) (io.ReadCloser, error) { return os.Open(path) },
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(s.parts, func(a, b service.Part) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func TestBench(t *testing.T) {
	root := os.Getenv("BENCH_DIR")
	if root == "" {
		t.Skip()
	}
	ctx := t.Context()
	path := os.Getenv("BENCH_REPO")
	opt := repository.Options{Path: path, Password: password}
	t0 := time.Now()
	r, err := repository.Open(ctx, opt)
	if err != nil {
		r, err = repository.Create(ctx, opt)
	}
	if err != nil {
		t.Fatal(err)
	}
	report("open", t0)
	t0 = time.Now()
	w := begin(t, r, header(fmt.Sprint("p", time.Now().UnixNano()), time.Now()))
	report("begin", t0)
	t0 = time.Now()
	c := store(t, w, "files", dirSnapshot(t, root))
	report("store", t0)
	fmt.Println("bytes", c.Bytes, "added", c.AddedBytes, "parts", c.Parts, "carried", c.Carried)
	t0 = time.Now()
	p := seal(t, w)
	report("seal", t0)
	if os.Getenv("BENCH_VERIFY") != "" {
		t0 = time.Now()
		v, err := r.Verify(ctx, p.ID, repository.VerifyOptions{}, service.Report{})
		if err != nil || len(v.Damaged) > 0 {
			t.Fatal(err, v.Damaged)
		}
		report("verify", t0)
	}
	u, _ := r.Usage(ctx)
	fmt.Println("usage", u.Bytes)
	r.Close(ctx)
}

func report(what string, since time.Time) {
	var u syscall.Rusage
	syscall.Getrusage(0, &u)
	fmt.Printf("%-8s %6.2fs  cpu %6.2fs  maxrss %d MB\n", what, time.Since(since).Seconds(),
		float64(u.Utime.Sec+u.Stime.Sec)+float64(u.Utime.Usec+u.Stime.Usec)/1e6, u.Maxrss/1024)
}
