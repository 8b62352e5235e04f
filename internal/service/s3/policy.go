package s3

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bmatcuk/doublestar/v4"

	"upkeep/internal/service"
)

// statement is one rule of a bucket policy. Its fields hold a text or a list.
type statement struct {
	Effect    string
	Principal any
	Action    any
	NotAction any
	Condition map[string]any
}

// policy judges what the bucket's policy gives to everybody. Conditions narrow a
// rule, so one with conditions is not held to be public; a refusal for everybody may
// take back what another rule gives, so that then it is a warning.
func (in *Instance) policy(ctx context.Context, c *client, v *service.Verdict) error {
	text, err := c.GetBucketPolicy(ctx, in.cfg.Bucket)
	if err != nil {
		return in.unsure(v, "policy", err)
	}
	if text == "" {
		return nil
	}
	var found struct{ Statement []statement }
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return fmt.Errorf("read the policy of %s: %w", in.cfg.Bucket, err)
	}
	given := judge(found.Statement)
	report := v.Crit
	if given.refused {
		report = v.Warn
	}
	if given.read {
		report("public-read", "", service.Args{"bucket": in.cfg.Bucket})
	}
	if given.write {
		report("public-write", "", service.Args{"bucket": in.cfg.Bucket})
	}
	return nil
}

// given is what a policy gives to everybody, and whether it also refuses something to
// everybody.
type given struct{ read, write, refused bool }

func judge(all []statement) (g given) {
	for _, s := range all {
		if !everybody(s.Principal) {
			continue
		}
		g.refused = g.refused || s.Effect == "Deny"
		if s.Effect == "Allow" && len(s.Condition) == 0 {
			g.read = g.read || s.gives("s3:GetObject") || s.gives("s3:ListBucket") || s.gives("s3:GetObjectVersion")
			g.write = g.write || s.gives("s3:PutObject") || s.gives("s3:DeleteObject")
		}
	}
	return g
}

// everybody reports whether a principal is anyone at all.
func everybody(principal any) bool {
	if m, is := principal.(map[string]any); is {
		principal = m["AWS"]
	}
	for _, one := range texts(principal) {
		if one == "*" {
			return true
		}
	}
	return false
}

// gives reports whether a statement covers an action. NotAction covers all but its
// own.
func (s *statement) gives(action string) bool {
	if s.NotAction != nil {
		return !matches(s.NotAction, action)
	}
	return matches(s.Action, action)
}

func matches(patterns any, action string) bool {
	for _, pattern := range texts(patterns) {
		if doublestar.MatchUnvalidated(pattern, action) {
			return true
		}
	}
	return false
}

// texts reads a text or a list of texts.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, one := range v {
			if text, is := one.(string); is {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}
