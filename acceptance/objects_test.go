package acceptance

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rogpeppe/go-internal/testscript"
)

// objects NAME ACTION BUCKET …: what a client of a MinIO server does.
//
//	make [versioned]               makes the bucket
//	put KEY CONTENT [NAME=VALUE…]  meta.N, tag.N and type are set, others are refused
//	fill PREFIX COUNT              puts so many small objects
//	get KEY, list                  prints a content; a line per version, the newest first
//	remove KEY                     as a client does: a marker where versions are kept
//	drop                           removes the bucket with all that it holds
func objects(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: objects NAME ACTION BUCKET …")
	}
	s := lookup(ts, args[0])
	client, err := minio.NewCore(s.Addr(), &minio.Options{Creds: credentials.NewStaticV4(s.User, s.Password, "")})
	ts.Check(err)
	o := objectClient{ts: ts, Core: client, bucket: args[2]}
	actions := map[string]func([]string) error{"make": o.make, "put": o.put, "fill": o.fill, "get": o.get, "list": o.list,
		"remove": o.remove, "drop": o.drop}
	do := actions[args[1]]
	if do == nil {
		ts.Fatalf("objects cannot %s", args[1])
	}
	if err := do(args[3:]); (err != nil) != neg {
		ts.Fatalf("objects %s: %v", strings.Join(args[1:], " "), err)
	}
}

type objectClient struct {
	*minio.Core
	ts     *testscript.TestScript
	bucket string
}

func (o objectClient) make(args []string) error {
	ctx := context.Background()
	if err := o.MakeBucket(ctx, o.bucket, minio.MakeBucketOptions{}); err != nil || len(args) == 0 {
		return err
	}
	return o.EnableVersioning(ctx, o.bucket)
}

func (o objectClient) put(args []string) error {
	options := minio.PutObjectOptions{UserMetadata: map[string]string{}, UserTags: map[string]string{}}
	for _, pair := range args[2:] {
		name, value, _ := strings.Cut(pair, "=")
		sort, rest, _ := strings.Cut(name, ".")
		switch sort {
		case "meta":
			options.UserMetadata[rest] = value
		case "tag":
			options.UserTags[rest] = value
		case "type":
			options.ContentType = value
		default:
			return fmt.Errorf("an object has no %s", name)
		}
	}
	return o.upload(args[0], args[1], options)
}

func (o objectClient) upload(key, content string, options minio.PutObjectOptions) error {
	_, err := o.Client.PutObject(context.Background(), o.bucket, key, strings.NewReader(content), int64(len(content)), options)
	return err
}

func (o objectClient) fill(args []string) error {
	var n int
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		return err
	}
	for i := range n {
		if err := o.upload(fmt.Sprintf("%s%04d", args[0], i), fmt.Sprint("content ", i), minio.PutObjectOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func (o objectClient) get(args []string) error {
	content, _, _, err := o.GetObject(context.Background(), o.bucket, args[0], minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(o.ts.Stdout(), content)
	return err
}

func (o objectClient) list([]string) error {
	options := minio.ListObjectsOptions{Recursive: true, WithVersions: true, WithMetadata: true}
	for info := range o.ListObjectsIter(context.Background(), o.bucket, options) {
		if info.Err != nil {
			return info.Err
		}
		fmt.Fprintln(o.ts.Stdout(), info.Key, info.Size, "deleted:", info.IsDeleteMarker, info.UserMetadataStripped, info.UserTags)
	}
	return nil
}

func (o objectClient) remove(args []string) error {
	return o.RemoveObject(context.Background(), o.bucket, args[0], minio.RemoveObjectOptions{})
}

func (o objectClient) drop([]string) error {
	return o.RemoveBucketWithOptions(context.Background(), o.bucket, minio.RemoveBucketOptions{ForceDelete: true})
}
