package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"upkeep/internal/service"
)

// servedKey is where the process that serves leaves what it says of itself, so that a check by
// hand says the same.
const servedKey = "served"

// served is one such word and how long it counts.
type served struct {
	Until   time.Time
	Verdict service.Verdict
}

// Serves leaves what the process that serves says of itself: every check finds it until then.
func (a *App) Serves(ctx context.Context, v service.Verdict, until time.Time) error {
	text, err := json.Marshal(served{until, v})
	if err != nil {
		return fmt.Errorf("write what serve says: %w", err)
	}
	return a.state(a.Config.System, reserved).Set(ctx, servedKey, string(text))
}

// checkServed finds what the process that serves has said, unless it has gone.
func (a *App) checkServed(ctx context.Context, v *service.Verdict) error {
	text, err := a.state(a.Config.System, reserved).Get(ctx, servedKey)
	if err != nil || text == "" {
		return err
	}
	var said served
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		return fmt.Errorf("read what serve says: %w", err)
	}
	if a.opt.Now().Before(said.Until) {
		v.Merge(said.Verdict)
	}
	return nil
}
