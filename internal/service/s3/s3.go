// Package s3 is the kind for a bucket of MinIO or of any other store that speaks
// S3: it checks the bucket, copies its objects with their versions, metadata and
// tags, puts a copy back, and proves a copy in a private MinIO or, where there is
// none, in a directory.
//
// Of MinIO it sees what MinIO lists: an object below another one (a/b beside a) is in
// no listing of that server, whoever asks, and so in no copy.
//
// It is not for the server behind the bucket: users, policies of users, keys of an
// encryption and the settings of the bucket itself are not copied.
package s3

import (
	"context"
	"embed"
	"fmt"
	"sync"

	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed example.yaml
var example []byte

//go:embed metrics.tsv panels.yaml rules.yaml
var monitoring embed.FS

// Kind is listed in service/all.
var Kind = service.Define("s3", open, text, example).Monitored(monitoring)

var (
	_ service.Checker    = (*Instance)(nil)
	_ service.Collector  = (*Instance)(nil)
	_ service.Identifier = (*Instance)(nil)
	_ service.Sizer      = (*Instance)(nil)
	_ service.Source     = (*Instance)(nil)
	_ service.Restorer   = (*Instance)(nil)
	_ service.Driller    = (*Instance)(nil)
	_ service.Verifier   = (*Instance)(nil)
	_ service.Extractor  = (*Instance)(nil)
	_ service.Lister     = (*Instance)(nil)
	_ service.Prober     = (*Instance)(nil)
)

// Instance is one declared bucket.
type Instance struct {
	env service.Env
	cfg Config
	// only is the one address that a scratch's connections go to, whatever they are
	// asked for; empty for a declared bucket.
	only string

	mu     sync.Mutex
	client *client // made when it is first needed

	counted service.Seldom[map[string]int64] // for Collect
}

func open(env service.Env, cfg Config) (*Instance, error) {
	return &Instance{env: env, cfg: cfg}, nil
}

// Close gives the connections back.
func (in *Instance) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.client != nil {
		in.client.http.CloseIdleConnections()
		in.client = nil
	}
	return nil
}

// Identity is where the objects are. Its limit: another server put behind the same
// address cannot be told apart, because S3 gives a bucket no identity of its own.
func (in *Instance) Identity(context.Context) (string, error) { return in.identity(), nil }

func (in *Instance) identity() string {
	place := fmt.Sprintf("bucket %s at %s", in.cfg.Bucket, in.cfg.Endpoint)
	if in.cfg.Prefix != "" {
		place += ", prefix " + in.cfg.Prefix
	}
	return place
}

// Probe says in what a drill takes place here. Without a server it is a directory.
func (in *Instance) Probe(ctx context.Context) []service.Need {
	need := service.Need{Name: minioProgram, Use: "drill"}
	if path, version, err := in.env.Find(ctx, minioProgram, 0); err == nil {
		need.Found = path + " " + version
	}
	return []service.Need{need}
}
