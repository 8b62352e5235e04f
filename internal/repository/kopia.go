package repository

import (
	"context"
	"errors"
	"math"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/content"
	"github.com/kopia/kopia/repo/manifest"
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

// reading is a connection as readers use it. kopia's own reading of manifests tidies
// them up, and on a full disk that would make every point unreadable; this one
// never writes, whatever the connection is allowed to.
type reading struct {
	repo.DirectRepository
	session   repo.DirectRepositoryWriter // nothing is written in it
	manifests *manifest.Manager
}

func newReading(ctx context.Context, from repo.DirectRepository) (*reading, error) {
	_, session, err := from.NewDirectWriter(ctx, repo.WriteSessionOptions{Purpose: "read"})
	if err != nil {
		return nil, err
	}
	manifests, err := manifest.NewManager(ctx, session.ContentManager(), manifest.ManagerOptions{AutoCompactionThreshold: math.MaxInt}, nil)
	if err != nil {
		return nil, errors.Join(err, session.Close(ctx))
	}
	return &reading{DirectRepository: from, session: session, manifests: manifests}, nil
}

// FindManifests implements repo.Repository.
func (r *reading) FindManifests(ctx context.Context, labels map[string]string) ([]*manifest.EntryMetadata, error) {
	return r.manifests.Find(ctx, labels)
}

// GetManifest implements repo.Repository.
func (r *reading) GetManifest(ctx context.Context, id manifest.ID, data any) (*manifest.EntryMetadata, error) {
	return r.manifests.Get(ctx, id, data)
}

// loadIndexBlob reads, authenticates and parses one of kopia's index blobs.
func (r *reading) loadIndexBlob(ctx context.Context, id blob.ID) error {
	return readIndexBlob(ctx, r.session.ContentManager().LoadIndexBlob, id)
}

// Close ends the reading and, with its last user, the connection.
func (r *reading) Close(ctx context.Context) error {
	return errors.Join(r.session.Close(ctx), r.DirectRepository.Close(ctx))
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
