package dataset

import (
	"context"
	"encoding/json"
	"fmt"

	"upkeep/internal/service"
)

var (
	_ service.Curator = (*Instance)(nil)
	_ service.Doer    = (*Instance)(nil)
	_ service.Undoer  = (*Instance)(nil)
)

// What a step does.
const (
	opRefuse     = "refuse"     // says that something cannot be mended, and why
	opRepair     = "repair"     // writes a file anew with what follows from its rows
	opSalvage    = "salvage"    // the same, of what can be read of a broken file
	opUnite      = "unite"      // writes a table's file anew, with increments or without doubles
	opClear      = "clear"      // puts increments away whose rows are proven to be in the table
	opReturn     = "return"     // brings increments back that were put away
	opQuarantine = "quarantine" // moves an increment aside that nobody can read
	opRescue     = "rescue"     // makes an increment of what can be read of one in quarantine
	opUnrescue   = "unrescue"   // takes that back
	opForget     = "forget"     // removes originals that nobody needs any more
	opBringBack  = "bring-back" // puts an original in the place of what was made of it
	opConvert    = "convert"    // writes one table of an agreement anew from the other
	opPutAway    = "put-away"   // puts a file away that was made where none was
)

// works are what somebody may ask for, each with what lists its steps.
func (in *Instance) works() map[service.Care]func(context.Context, service.Work) ([]service.Step, error) {
	return map[service.Care]func(context.Context, service.Work) ([]service.Step, error){
		service.Repair:  without(in.planRepair),
		service.Merge:   without(in.planMerge),
		service.Dedup:   without(in.planDedup),
		service.Convert: in.planConvert,
	}
}

// without is care that nothing more is said about.
func without(list func(context.Context) ([]service.Step, error)) func(context.Context, service.Work) ([]service.Step, error) {
	return func(ctx context.Context, _ service.Work) ([]service.Step, error) { return list(ctx) }
}

// doing does one sort of step.
type doing func(context.Context, service.Step, service.Report) (service.Outcome, error)

func (in *Instance) ops() map[string]doing {
	return map[string]doing{
		opRefuse:     in.refuse,
		opRepair:     in.repair,
		opSalvage:    in.repair,
		opUnite:      in.doUnite,
		opClear:      in.doClear,
		opReturn:     in.doReturn,
		opQuarantine: in.doQuarantine,
		opRescue:     in.doRescue,
		opUnrescue:   in.doUnrescue,
		opForget:     in.doForget,
		opBringBack:  in.bringBack,
		opConvert:    in.doConvert,
		opPutAway:    in.doPutAway,
	}
}

// undoing lists what takes one sort of step back.
type undoing func(context.Context, json.RawMessage) ([]service.Step, error)

func (in *Instance) backs() map[string]undoing {
	return map[string]undoing{
		opRefuse:     nothingToUndo,
		opRepair:     in.undoReplace,
		opSalvage:    in.undoReplace,
		opUnite:      in.undoUnite,
		opClear:      in.undoClear,
		opQuarantine: in.undoClear,
		opRescue:     in.undoRescue,
		opConvert:    in.undoConvert,
		opPut:        in.undoConvert,
		opRebuild:    in.undoRebuild,
	}
}

func nothingToUndo(context.Context, json.RawMessage) ([]service.Step, error) { return nil, nil }

// Curate lists the steps of what somebody asks for.
func (in *Instance) Curate(ctx context.Context, w service.Work) ([]service.Step, error) {
	list, known := in.works()[w.Care]
	if !known {
		return nil, fmt.Errorf("plan %s: %w", w.Care, service.ErrUnsupported)
	}
	return list(ctx, w)
}

// Do does one step.
func (in *Instance) Do(ctx context.Context, s service.Step, r service.Report) (service.Outcome, error) {
	do, known := in.ops()[s.Op]
	if !known {
		return service.Outcome{}, fmt.Errorf("do step %q: %w", s.Op, service.ErrUnsupported)
	}
	return do(ctx, s, r)
}

// Undo lists what takes a finished step back.
func (in *Instance) Undo(ctx context.Context, s service.Step, done json.RawMessage) ([]service.Step, error) {
	list, known := in.backs()[s.Op]
	if !known {
		return nil, fmt.Errorf("take %s back: %w", s.ID, service.ErrUnsupported)
	}
	return list(ctx, done)
}

// step is one of a plan. What args hold is all that doing it needs.
func step(op string, risk service.Risk, about string, args any, title service.Message) service.Step {
	text, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("encode step %s %s: %v", op, about, err)) // plain values always encode
	}
	title.ID = "dataset." + title.ID // also for kinds that are made of this one
	return service.Step{ID: op + " " + about, Op: op, Args: text, Risk: risk, Title: title}
}

func argsOf[T any](s service.Step) (args T, err error) {
	if err := json.Unmarshal(s.Args, &args); err != nil {
		return args, fmt.Errorf("read step %s: %w", s.ID, err)
	}
	return args, nil
}
