package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

const digestPrefix = "sha256:"

// SavePlan records a plan that waits for approval. Making the same plan again
// changes nothing while the first one waits; once that was applied, it is a new
// plan, not approved yet. A plan whose Digest is not that of its contents is an
// error.
func (j *Journal) SavePlan(ctx context.Context, p Plan) error {
	p.Approved, p.By, p.Applied = time.Time{}, "", "" // only Approve and Applied say so
	if err := sound(p); err != nil {
		return fmt.Errorf("save plan %s: %w", p.Digest, err)
	}
	return j.write(ctx, func(tx transaction) error {
		switch known, err := storedPlan(ctx, tx, p.Digest); {
		case err == nil && known.Applied == "":
			return nil
		case err != nil && !errors.Is(err, service.ErrNotFound):
			return err
		}
		return j.append(ctx, tx, p.System, PlanMade, "", p)
	})
}

// sound checks that the digest will be the same when the plan is read back: an
// integer above 2^53 among the arguments of a title would not survive.
func sound(p Plan) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	back, err := decoded[Plan](string(text))
	if err != nil {
		return err
	}
	for _, plan := range []Plan{p, back} {
		if d := Digest(plan); d != p.Digest {
			return fmt.Errorf("its contents have digest %s", d)
		}
	}
	return nil
}

// Plan returns the plan whose digest is, or begins with, the given text; the
// leading "sha256:" may be left out. No plan or several are an error wrapping
// service.ErrNotFound.
func (j *Journal) Plan(ctx context.Context, digest string) (Plan, error) {
	start := digestPrefix + strings.TrimPrefix(digest, digestPrefix)
	if start == digestPrefix {
		return Plan{}, fmt.Errorf("plan %q: %w", digest, service.ErrNotFound)
	}
	bodies, err := column(ctx, j.db, "SELECT body FROM plans WHERE digest >= ? AND digest < ? LIMIT 2", start, after(start))
	if err != nil {
		return Plan{}, fmt.Errorf("look up plan %s: %w", digest, err)
	}
	return only[Plan]("plan", digest, bodies)
}

// Plans returns the plans of a system, or of all when it is empty, the newest
// first.
func (j *Journal) Plans(ctx context.Context, system string) ([]Plan, error) {
	bodies, err := column(ctx, j.db, "SELECT body FROM plans WHERE system = ? OR ? = '' ORDER BY made DESC, digest", system, system)
	if err != nil {
		return nil, fmt.Errorf("list plans: %w", err)
	}
	plans := make([]Plan, len(bodies))
	for i, body := range bodies {
		if plans[i], err = decoded[Plan](body); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// touch is the body of a record about a plan made before.
type touch struct {
	Digest string `json:"digest"`
	By     string `json:"by,omitempty"`
}

// Approve records who approved a plan. A second approval, or one of a plan that
// was applied, is an error wrapping service.ErrRefused.
func (j *Journal) Approve(ctx context.Context, digest, by string) error {
	return j.touch(ctx, PlanApproved, "", touch{Digest: digest, By: by}, func(p Plan) error {
		if !p.Approved.IsZero() {
			return fmt.Errorf("plan %s was approved by %s: %w", digest, p.By, service.ErrRefused)
		}
		return nil
	})
}

// Applied records the run that applies a plan, before it changes anything: of two
// runs that try, one gets an error wrapping service.ErrRefused. Whether the plan
// had to be approved is not asked here.
func (j *Journal) Applied(ctx context.Context, digest, runID string) error {
	return j.touch(ctx, PlanApplied, runID, touch{Digest: digest}, func(Plan) error { return nil })
}

func (j *Journal) touch(ctx context.Context, kind Kind, run string, body touch, check func(Plan) error) error {
	return j.write(ctx, func(tx transaction) error {
		p, err := storedPlan(ctx, tx, body.Digest)
		if err != nil {
			return err
		}
		if p.Applied != "" {
			return fmt.Errorf("plan %s was applied by run %s: %w", p.Digest, p.Applied, service.ErrRefused)
		}
		if err := check(p); err != nil {
			return err
		}
		return j.append(ctx, tx, p.System, kind, run, body)
	})
}

func planMade(ctx context.Context, tx transaction, r record) error {
	var p Plan
	if err := r.decode(&p); err != nil {
		return err
	}
	return storePlan(ctx, tx, p)
}

func planTouched(ctx context.Context, tx transaction, r record) error {
	var body touch
	if err := r.decode(&body); err != nil {
		return err
	}
	p, err := storedPlan(ctx, tx, body.Digest)
	if err != nil {
		return err
	}
	if r.kind == PlanApplied {
		p.Applied = r.run
	} else {
		p.Approved, p.By = r.time(), body.By
	}
	return storePlan(ctx, tx, p)
}

func storedPlan(ctx context.Context, from querier, digest string) (Plan, error) {
	bodies, err := column(ctx, from, "SELECT body FROM plans WHERE digest = ?", digest)
	if err != nil {
		return Plan{}, fmt.Errorf("read plan %s: %w", digest, err)
	}
	return only[Plan]("plan", digest, bodies)
}

func storePlan(ctx context.Context, tx transaction, p Plan) error {
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode plan %s: %w", p.Digest, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO plans (digest, system, made, body) VALUES (?, ?, ?, ?)",
		p.Digest, p.System, p.Made.UnixNano(), string(body))
	if err != nil {
		return fmt.Errorf("store plan %s: %w", p.Digest, err)
	}
	return nil
}

// Digest names what a plan does: "sha256:" and hex over System, Verb, Args,
// Config and Steps as JSON with sorted keys and no spaces. Who made it, and when,
// does not count, nor does what is told beside a step.
func Digest(p Plan) string {
	text, err := canonical(struct {
		System string          `json:"system"`
		Verb   string          `json:"verb"`
		Args   json.RawMessage `json:"args"`
		Config string          `json:"config"`
		Steps  []service.Step  `json:"steps"`
	}{p.System, p.Verb, p.Args, p.Config, unnoted(p.Steps)})
	if err != nil {
		return "" // not JSON, so no plan: SavePlan refuses it
	}
	sum := sha256.Sum256(text)
	return digestPrefix + hex.EncodeToString(sum[:])
}

// unnoted are steps without what is told beside them.
func unnoted(steps []service.Step) []service.Step {
	bare := slices.Clone(steps)
	for i := range bare {
		bare[i].Note = service.Message{}
	}
	return bare
}

// canonical encodes v so that equal values give equal bytes, whatever the order
// of keys or the spaces in raw JSON inside it.
func canonical(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber() // keeps every digit
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return nil, err
	}
	return json.Marshal(plain)
}
