package s3

import (
	"context"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"upkeep/internal/service"
)

// Names under which MinIO publishes what a bucket holds.
const (
	metricBytes    = "minio_bucket_usage_total_bytes"
	metricObjects  = "minio_bucket_usage_object_total"
	metricVersions = "minio_bucket_usage_version_total"
	metricMarkers  = "minio_bucket_usage_deletemarker_total"
)

const (
	// listingTime is how long a listing may take that is made only to count.
	listingTime = 4 * time.Second
	// metricsSize bounds the answer with metrics, which names every bucket of the server.
	metricsSize = 32 << 20
	// tokenTime is how long the token for one question is good.
	tokenTime = time.Minute
)

// metrics are what MinIO itself publishes about the bucket: nil where the server is
// another one, or does not let us see them. MinIO counts in the background, so a new
// bucket is not there for some minutes.
func (in *Instance) metrics(ctx context.Context, c *client) (map[string]*dto.MetricFamily, error) {
	families, err := in.published(ctx, c, "bucket")
	return ofBucket(families, in.cfg.Bucket), err
}

// published is what MinIO says of its buckets, or of the whole cluster.
func (in *Instance) published(ctx context.Context, c *client, what string) (map[string]*dto.MetricFamily, error) {
	if !c.minio.Load() || in.cfg.AccessKey.IsZero() {
		return nil, nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.EndpointURL().String()+"/minio/v2/metrics/"+what, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for metrics: %w", err)
	}
	token, err := in.token(ctx)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := c.http.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s for metrics: %w: %w", in.cfg.Endpoint, err, service.ErrUnreachable)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or its error is told
	if answer.StatusCode != http.StatusOK {
		return nil, nil // refused or not there: the bucket is counted instead
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(answer.Body, metricsSize))
	if err != nil {
		return nil, fmt.Errorf("read the metrics of %s: %w", in.cfg.Endpoint, err)
	}
	return families, nil
}

// ofBucket keeps the samples of one bucket.
func ofBucket(families map[string]*dto.MetricFamily, bucket string) map[string]*dto.MetricFamily {
	for name, family := range families {
		var kept []*dto.Metric
		for _, m := range family.Metric {
			if labelled(m, bucket) {
				kept = append(kept, m)
			}
		}
		if family.Metric = kept; len(kept) == 0 {
			delete(families, name)
		}
	}
	return families
}

func labelled(m *dto.Metric, bucket string) bool {
	for _, label := range m.Label {
		if label.GetName() == "bucket" {
			return label.GetValue() == bucket
		}
	}
	return false
}

// token is the login of MinIO's metrics: a JSON web token over the keys, signed with
// HMAC-SHA-512, as its own client makes them.
func (in *Instance) token(ctx context.Context) (string, error) {
	login, err := in.login(ctx)
	if err != nil {
		return "", err
	}
	keys, err := login.GetWithContext(nil)
	if err != nil {
		return "", fmt.Errorf("read the keys: %w", err)
	}
	claims, err := json.Marshal(map[string]any{"sub": keys.AccessKeyID, "iss": "prometheus", "exp": in.env.Now().Add(tokenTime).Unix()})
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	body := encode([]byte(`{"alg":"HS512","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha512.New, []byte(keys.SecretAccessKey))
	mac.Write([]byte(body)) // never fails
	return body + "." + encode(mac.Sum(nil)), nil
}

// count lists the whole bucket for a limited time. What is not done by then is an
// error: a part of a bucket is no size.
func (in *Instance) count(ctx context.Context, c *client, b bucket) (map[string]int64, error) {
	limited, cancel := context.WithTimeout(ctx, listingTime)
	defer cancel()
	options := in.listOptions(c, in.history(b))
	options.WithMetadata = false // a size needs none, and MinIO takes twice as long with it
	t, err := map[string]int64{}, error(nil)
	for info := range c.ListObjectsIter(limited, in.cfg.Bucket, options) {
		if err = info.Err; err != nil {
			break
		}
		if !in.cfg.excluded(info.Key) {
			add(t, info, info.IsLatest || !options.WithVersions)
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("list %s: %w", in.cfg.Bucket, explain(ctx.Err()))
	case limited.Err() != nil: // the library ends a listing without an error then
		return nil, fmt.Errorf("bucket %s cannot be counted in %s: %w", in.cfg.Bucket, listingTime, context.DeadlineExceeded)
	case err != nil:
		return nil, fmt.Errorf("list %s: %w", in.cfg.Bucket, explain(err))
	}
	return t, nil
}

func add(t map[string]int64, info minio.ObjectInfo, current bool) {
	if info.IsDeleteMarker {
		t[metricMarkers]++
		return
	}
	t[metricBytes] += info.Size
	t[metricVersions]++
	if current {
		t[metricObjects]++
	}
}
