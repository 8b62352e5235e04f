package repository

import (
	"context"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/snapshot"
)

// readIndexBlob reads, authenticates and parses one of kopia's index blobs. The
// buffer's type is internal to kopia, so it is left to inference.
func readIndexBlob[B any](ctx context.Context, load func(context.Context, blob.ID, *B) ([]content.Info, error), id blob.ID) error {
	buffer := new(B)
	if c, ok := any(buffer).(interface{ Close() }); ok {
		defer c.Close()
	}
	_, err := load(ctx, id, buffer)
	return err
}

// readSession is a session on the reading connection: only such a one shows
// kopia's index blobs. Nothing can be written in it.
func (r *Repository) readSession(ctx context.Context) (repo.DirectRepositoryWriter, error) {
	_, w, err := r.reader.NewDirectWriter(ctx, repo.WriteSessionOptions{Purpose: "verify"})
	return w, err
}

// snapshots counts kopia's snapshots of one copy.
func (r *Repository) snapshots(ctx context.Context, point, target string) (int, error) {
	found, err := r.reader.FindManifests(ctx, map[string]string{typeLabel: snapshot.ManifestType, pointTag: point, targetTag: target})
	return len(found), readError(err)
}

// deleteAll deletes all manifests with these labels.
func deleteAll(ctx context.Context, k repo.RepositoryWriter, labels map[string]string) error {
	found, err := k.FindManifests(ctx, labels)
	if err != nil {
		return err
	}
	for _, m := range found {
		if err := k.DeleteManifest(ctx, m.ID); err != nil {
			return err
		}
	}
	return nil
}
