package control

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Sorts of what is due.
const (
	DueJob    = "job"
	DueWindow = "window"
	DueItem   = "item" // of a checklist
	DuePing   = "ping"
)

// Due is the next time of something that is declared, or one that has passed.
type Due struct {
	Sort, Name string    // of an item LIST/ITEM
	At, Until  time.Time // Until is zero for what takes no time
	Overdue    bool      // it should have been done by At
	Last       time.Time // when it was done last; zero = it is not known
	Run        string    // that did it then
	Exit       int       // of that
}

// Due lists what is due next of all that is declared, the soonest first.
func (a *App) Due(ctx context.Context) (all []Due, err error) {
	for _, list := range []func(context.Context) ([]Due, error){a.dueJobs, a.dueWindows, a.dueItems, a.duePings} {
		some, err := list(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Due) int { return a.At.Compare(b.At) })
	return all, nil
}

// dueJobs leaves out jobs that run only when asked for, or after another.
func (a *App) dueJobs(ctx context.Context) (all []Due, err error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Jobs)) {
		at := a.Config.Jobs[name].At.Next(a.opt.Now())
		if at.IsZero() {
			continue
		}
		last, err := j.LastEnded(ctx, a.Config.System, name)
		if err != nil {
			return nil, err
		}
		all = append(all, Due{Sort: DueJob, Name: name, At: at, Last: last.Ended, Run: last.Run, Exit: last.Exit})
	}
	return all, nil
}

func (a *App) dueWindows(ctx context.Context) (all []Due, err error) {
	windows, err := a.Windows(ctx)
	for _, w := range windows {
		if !w.From.IsZero() {
			all = append(all, Due{Sort: DueWindow, Name: w.Name, At: w.From, Until: w.Until, Run: w.Run})
		}
	}
	return all, err
}

// dueItems are those that are not done yet. One that an earlier span lacks was due when
// this one began.
func (a *App) dueItems(ctx context.Context) (all []Due, err error) {
	lists, err := a.Checklists(ctx, "")
	for _, list := range lists {
		for _, item := range list.Items {
			if item.Done != nil {
				continue
			}
			due := Due{Sort: DueItem, Name: list.Name + "/" + item.Name, At: list.To, Overdue: item.Overdue != ""}
			if due.Overdue {
				due.At = list.From
			}
			all = append(all, due)
		}
	}
	return all, err
}

// duePings are when others are to call; who has not is a finding.
func (a *App) duePings(context.Context) (all []Due, err error) {
	for _, name := range slices.Sorted(maps.Keys(a.Config.Pings)) {
		if at := a.Config.Pings[name].At.Next(a.opt.Now()); !at.IsZero() {
			all = append(all, Due{Sort: DuePing, Name: name, At: at})
		}
	}
	return all, nil
}
