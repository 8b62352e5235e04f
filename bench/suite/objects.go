package suite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"golang.org/x/sync/errgroup"

	"upkeep/bench/corpus"
	"upkeep/bench/measure"
	"upkeep/bench/tool"
	"upkeep/lab"
)

// The works on a bucket, and the column of the tool that mirrors one.
const (
	CopyObjects = "copy of a bucket"
	SameObjects = "copy of a bucket again, nothing changed"
	Rclone      = "rclone sync"
	RcloneList  = "rclone, times of the listing"
)

const bucket = "bench"

// Objects measures the copying of one bucket of a private MinIO.
type Objects struct {
	Spec    corpus.Spec
	Rclone  string // the program
	Scratch string
	Rounds  int
}

// Run fills r. upkeep may be nil.
func (o Objects) Run(ctx context.Context, u *tool.Upkeep, r *Result) (err error) {
	dir, err := openDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := lab.StartMinIO(ctx, dir, lab.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := o.fill(ctx, server); err != nil {
		return err
	}
	halves := []func(context.Context, *lab.Server, *Result) error{o.mirror}
	if u != nil {
		halves = append(halves, func(ctx context.Context, s *lab.Server, r *Result) error { return o.subject(ctx, s, u, r) })
	}
	for round := range o.Rounds {
		for _, half := range rotate(halves, round) {
			r.Fail(half(ctx, server, r))
		}
	}
	r.Note("objects", fmt.Sprintf("%d objects, %d MB, seed %d, in a MinIO on the same machine, whose processor time is not counted and is not free", o.Spec.Files, o.Spec.Bytes/1e6, o.Spec.Seed))
	r.Note("objects", "rclone makes plain files, one state of them; upkeep's copy is encrypted, compressed and holds every state")
	r.Note("objects", "rclone with its defaults asks for the time of every object one by one; the second column is with --fast-list --use-server-modtime, which trust the listing as upkeep does")
	return ctx.Err()
}

// loads are put in one request each: a bucket of many small objects is filled faster so.
const load = 1000

// fill makes the bucket, two requests at a time.
func (o Objects) fill(ctx context.Context, s *lab.Server) error {
	client, err := minio.New(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, s.Password, "")})
	if err != nil {
		return fmt.Errorf("fill the bucket: %w", err)
	}
	if err := client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return fmt.Errorf("make the bucket: %w", err)
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for some := range slices.Chunk(corpus.Objects(o.Spec), load) {
		group.Go(func() error { return put(ctx, client, some) })
	}
	err = group.Wait()
	slog.Info("filled", "objects", o.Spec.Files, "bytes", o.Spec.Bytes, "wall", time.Since(began))
	return err
}

// put sends objects as one archive, which the server unpacks.
func put(ctx context.Context, client *minio.Client, some []corpus.Object) error {
	archive := make(chan minio.SnowballObject)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(archive)
		for _, o := range some {
			content, err := o.Content()
			if err != nil {
				return err
			}
			select {
			case archive <- minio.SnowballObject{Key: o.Key, Size: o.Size, Content: content}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		return client.PutObjectsSnowball(ctx, bucket, minio.SnowballOptions{InMemory: false}, archive)
	})
	if err := group.Wait(); err != nil {
		return fmt.Errorf("fill the bucket: %w", err)
	}
	return nil
}

// mirror lets rclone bring the bucket into an empty directory, and again.
func (o Objects) mirror(ctx context.Context, s *lab.Server, r *Result) (err error) {
	dir := filepath.Join(o.Scratch, "rclone")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear the place of rclone: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RCLONE_CONFIG_M_TYPE=s3", "RCLONE_CONFIG_M_PROVIDER=Minio",
		"RCLONE_CONFIG_M_ENDPOINT=http://" + s.Addr(), "RCLONE_CONFIG_M_ACCESS_KEY_ID=" + s.User, "RCLONE_CONFIG_M_SECRET_ACCESS_KEY=" + s.Password}
	for _, run := range []struct {
		work, name string
		flags      []string
	}{{CopyObjects, Rclone, nil}, {SameObjects, Rclone, nil}, {SameObjects, RcloneList, []string{"--fast-list", "--use-server-modtime"}}} {
		argv := append([]string{o.Rclone, "sync", "m:" + bucket, filepath.Join(dir, "copy")}, run.flags...)
		settle()
		cost, _, err := measure.Run(ctx, measure.Cmd{Argv: argv, Env: env})
		if err := r.cost(run.work, run.name, cost, err); err != nil {
			return err
		}
	}
	return o.complete(filepath.Join(dir, "copy"))
}

// complete counts the files: a tool that skips something would look fast.
func (o Objects) complete(dir string) error {
	files := 0
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			files++
		}
		return err
	})
	if err == nil && files != o.Spec.Files {
		err = fmt.Errorf("rclone copied %d of %d objects", files, o.Spec.Files)
	}
	return err
}

func (o Objects) subject(ctx context.Context, s *lab.Server, u *tool.Upkeep, r *Result) (err error) {
	work := filepath.Join(o.Scratch, "upkeep-objects")
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("clear the place of upkeep: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	u.Services = []string{fmt.Sprintf("objects: {kind: s3, endpoint: %q, bucket: %s, access_key: file:access, secret_key: %q}", "http://"+s.Addr(), bucket, "file:"+s.PasswordFile)}
	if err := u.Init(ctx, work, ""); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "access"), []byte(s.User), 0o600); err != nil {
		return fmt.Errorf("keep the key of the bucket: %w", err)
	}
	for _, name := range []string{CopyObjects, SameObjects} {
		settle()
		cost, err := u.Backup(ctx)
		if err := r.cost(name, u.Name(), cost, err); err != nil {
			return err
		}
	}
	counts, err := u.Counts(ctx, "objects")
	if err == nil && counts["objects"] != int64(o.Spec.Files) {
		err = fmt.Errorf("upkeep copied %d of %d objects", counts["objects"], o.Spec.Files)
	}
	return err
}
