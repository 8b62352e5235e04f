package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// stateOfForeseen is the key of what the last plan of a table foresaw, in the state of the
// target; followed by the name of the table.
const stateOfForeseen = "foreseen"

// foresight is what became of the rows in a comparison of files.
type foresight struct {
	Of      string  `json:"of"` // which files, in which state, by which declaration
	Balance balance `json:"balance"`
}

// foresee tells what would become of the rows. A plan is made again before it is applied:
// where the files are in the state in which they were compared, and are declared in the same
// way, the comparison is not repeated. The step that writes compares by itself.
func (in *Instance) foresee(ctx context.Context, w *uniting) error {
	of, err := in.foreseenOf(ctx, *w)
	if err != nil {
		return err
	}
	if last := in.lastForeseen(ctx, w.Table); last.Of == of {
		w.Balance = last.Balance
		return nil
	}
	asked := len(w.Increments)
	if w.Increments, err = in.whole(ctx, w.Increments); err != nil || asked > 0 && len(w.Increments) == 0 {
		return err
	}
	err = in.united(ctx, w, "", func(u *union) (err error) {
		w.Balance, err = u.balance(ctx)
		return err
	})
	if err != nil || in.env.State == nil || len(w.Increments) < asked {
		return err
	}
	text, err := json.Marshal(foresight{of, w.Balance})
	if err != nil {
		return err
	}
	return in.env.State.Set(ctx, stateOfForeseen+" "+w.Table, string(text))
}

// lastForeseen is empty where nothing is known: then the files are compared.
func (in *Instance) lastForeseen(ctx context.Context, table string) (last foresight) {
	if in.env.State == nil {
		return last
	}
	text, err := in.env.State.Get(ctx, stateOfForeseen+" "+table)
	if err != nil || json.Unmarshal([]byte(text), &last) != nil {
		return foresight{}
	}
	return last
}

// foreseenOf names files, their states and what is declared of their table.
func (in *Instance) foreseenOf(ctx context.Context, w uniting) (string, error) {
	cfg, _, err := in.declare(ctx, in.dir)
	if err != nil {
		return "", err
	}
	w.Balance = balance{}
	text, err := json.Marshal([]any{w, cfg.Tables[w.Table]})
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}
