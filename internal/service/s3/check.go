package s3

import (
	"context"
	"errors"
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/lifecycle"

	"upkeep/internal/service"
)

// Check asks for the bucket's state and settings, never for its objects: six small
// requests, however much it holds.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	c, err := in.connect(ctx)
	if err != nil {
		return v, err
	}
	b, gone, err := in.known(ctx, c)
	if err != nil {
		return v, err
	}
	if !b.there {
		v.Set("bucket", absent)
		if gone {
			v.Crit("bucket-gone", "", service.Args{"bucket": in.cfg.Bucket, "endpoint": in.cfg.Endpoint})
		}
		return v, nil
	}
	v.Set("bucket", in.cfg.Bucket)
	in.versioning(&v, b)
	for _, judge := range []func(context.Context, *client, *service.Verdict) error{in.policy, in.lifecycle, in.uploads} {
		if failed := judge(ctx, c, &v); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return v, err
}

func (in *Instance) versioning(v *service.Verdict, b bucket) {
	if !in.cfg.Versions {
		return
	}
	state := b.versioning
	if state == "" {
		state = "off"
	}
	v.Set("versioning", state)
	if state != minio.Enabled {
		v.Warn("versioning-off", "", service.Args{"bucket": in.cfg.Bucket, "state": state})
	}
}

// unsure turns a setting that we may not see into a finding; other errors stay what
// they are, and a setting that is not there is none.
func (in *Instance) unsure(v *service.Verdict, setting string, err error) error {
	switch err = explain(err); {
	case err == nil, codeOf(err) == "NoSuchLifecycleConfiguration", codeOf(err) == minio.NoSuchBucketPolicy,
		errors.Is(err, service.ErrUnsupported):
		return nil
	case errors.Is(err, service.ErrDenied):
		v.Unsure("settings-denied", setting, service.Args{"setting": setting, "bucket": in.cfg.Bucket})
		return nil
	}
	return fmt.Errorf("ask for the %s of %s: %w", setting, in.cfg.Bucket, err)
}

// lifecycle names rules that remove current objects by themselves.
func (in *Instance) lifecycle(ctx context.Context, c *client, v *service.Verdict) error {
	config, err := c.GetBucketLifecycle(ctx, in.cfg.Bucket)
	if err != nil {
		return in.unsure(v, "lifecycle", err)
	}
	for i, rule := range config.Rules {
		if rule.Status != "Enabled" || !expiresCurrent(rule) {
			continue
		}
		name := rule.ID
		if name == "" {
			name = fmt.Sprint(i + 1)
		}
		v.Warn("lifecycle-expires", name, service.Args{"rule": name, "prefix": prefixOf(rule), "days": int64(rule.Expiration.Days)})
	}
	return nil
}

func expiresCurrent(rule lifecycle.Rule) bool {
	return rule.Expiration.Days > 0 || !rule.Expiration.Date.IsZero() || rule.AllVersionsExpiration.Days > 0
}

func prefixOf(rule lifecycle.Rule) string {
	for _, prefix := range []string{rule.RuleFilter.Prefix, rule.RuleFilter.And.Prefix, rule.Prefix} {
		if prefix != "" {
			return prefix
		}
	}
	return ""
}
