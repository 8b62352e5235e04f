package control

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"upkeep/internal/capability/checklist"
	"upkeep/internal/config"
	"upkeep/internal/journal"
	"upkeep/internal/service"
)

// Checklist and ChecklistItem are what surfaces are told.
type (
	Checklist     = checklist.List
	ChecklistItem = checklist.Item
)

// Checklists says how the declared lists stand now, or one of them.
func (a *App) Checklists(ctx context.Context, name string) ([]checklist.List, error) {
	names, books, err := a.lists(ctx, name)
	if err != nil {
		return nil, err
	}
	lists := []checklist.List{}
	for _, name := range names {
		list, err := books.Now(ctx, name, a.Config.Checklists[name], a.opt.Now().In(a.Zone()))
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// mostSpans bounds what is shown of the past: a year of days.
const mostSpans = 400

// ChecklistHistory says how the lists stood in every span of theirs that began within
// a longer one, such as 2026-11, and not after now.
func (a *App) ChecklistHistory(ctx context.Context, name, within string) ([]checklist.List, error) {
	all, err := checklist.Parse(within, a.Zone())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, service.ErrUndeclared)
	}
	names, books, err := a.lists(ctx, name)
	if err != nil {
		return nil, err
	}
	lists := []checklist.List{}
	for _, name := range names {
		declared := a.Config.Checklists[name]
		span := checklist.Around(declared.Every, all.From)
		for ; span.From.Before(all.To) && !span.From.After(a.opt.Now()) && len(lists) < mostSpans; span = span.After() {
			list, err := books.Past(ctx, name, declared, span, a.opt.Now())
			if err != nil {
				return nil, err
			}
			if len(list.Items) > 0 {
				lists = append(lists, list)
			}
		}
	}
	return lists, nil
}

// lists names the lists that are meant and reads what was signed.
func (a *App) lists(ctx context.Context, name string) ([]string, checklist.Books, error) {
	names := slices.Sorted(maps.Keys(a.Config.Checklists))
	if name != "" {
		if !slices.Contains(names, name) {
			return nil, checklist.Books{}, fmt.Errorf("there is no checklist %q under checklists: (there are: %s): %w", name, strings.Join(names, ", "), service.ErrUndeclared)
		}
		names = []string{name}
	}
	books, err := a.books(ctx)
	return names, books, err
}

func (a *App) books(ctx context.Context) (checklist.Books, error) {
	j, err := a.Journal(ctx)
	if err != nil {
		return checklist.Books{}, err
	}
	notes, err := j.Notes(ctx, a.Config.System, checklist.NoteKind)
	if err != nil {
		return checklist.Books{}, err
	}
	books := checklist.Books{Runs: func(ctx context.Context, verb, target string, from, to time.Time) ([]journal.Run, error) {
		return j.Within(ctx, journal.Query{System: a.Config.System, Verb: verb, Target: target}, from, to)
	}}
	for _, n := range notes {
		m := checklist.Signed{At: n.At}
		if err := json.Unmarshal(n.Body, &m.Mark); err != nil {
			return books, fmt.Errorf("read note %d of a checklist: %w", n.Seq, err)
		}
		books.Marks = append(books.Marks, m)
	}
	return books, nil
}

// Sign records that somebody did an item, given as LIST/ITEM, in the present span. One
// that is signed already is not signed again: the first signature comes back, with again set.
func (a *App) Sign(ctx context.Context, path, note string) (signed checklist.Item, again bool, err error) {
	list, name, _ := strings.Cut(path, "/")
	item, err := a.declaredItem(list, name)
	if err != nil {
		return signed, false, err
	}
	if item.By != "" {
		return signed, false, &service.Fault{ID: "error.item-by-run", Args: service.Args{"item": path, "verb": item.By, "of": item.Target},
			Err: fmt.Errorf("item %s is ticked by a run of %s, not signed: %w", path, item.By, service.ErrRefused)}
	}
	if signed, err = a.itemNow(ctx, list, name); err != nil || signed.Done != nil {
		return signed, err == nil, err
	}
	mark := checklist.Mark{List: list, Item: name, By: a.opt.User, Note: note}
	if err := a.journal.Note(ctx, a.Config.System, checklist.NoteKind, mark); err != nil {
		return signed, false, fmt.Errorf("record the signature: %w", err)
	}
	signed, err = a.itemNow(ctx, list, name)
	return signed, false, err
}

func (a *App) declaredItem(list, name string) (config.Item, error) {
	declared, known := a.Config.Checklists[list]
	if !known {
		return config.Item{}, fmt.Errorf("there is no checklist %q under checklists: (there are: %s): %w", list,
			strings.Join(slices.Sorted(maps.Keys(a.Config.Checklists)), ", "), service.ErrUndeclared)
	}
	names := []string{}
	for _, item := range declared.Items {
		if item.Name == name {
			return item, nil
		}
		names = append(names, item.Name)
	}
	return config.Item{}, fmt.Errorf("there is no item %q in checklist %s (there are: %s): %w", name, list, strings.Join(names, ", "), service.ErrUndeclared)
}

func (a *App) itemNow(ctx context.Context, list, name string) (checklist.Item, error) {
	lists, err := a.Checklists(ctx, list)
	if err != nil {
		return checklist.Item{}, err
	}
	i := slices.IndexFunc(lists[0].Items, func(i checklist.Item) bool { return i.Name == name })
	return lists[0].Items[i], nil
}

// checkLists finds the items that a span ended without. An item counts from the first
// span that begins after it was met here for the first time.
func (a *App) checkLists(ctx context.Context, v *service.Verdict) error {
	if len(a.Config.Checklists) == 0 {
		return nil
	}
	books, err := a.books(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(a.Config.Checklists)) {
		for _, mark := range books.Unseen(name, a.Config.Checklists[name]) {
			if err := a.journal.Note(ctx, a.Config.System, checklist.NoteKind, mark); err != nil {
				return fmt.Errorf("record a new item: %w", err)
			}
		}
		list, err := books.Now(ctx, name, a.Config.Checklists[name], a.opt.Now().In(a.Zone()))
		if err != nil {
			return err
		}
		for _, item := range list.Items {
			if item.Overdue != "" {
				v.Warn("upkeep.checklist-overdue", name+"/"+item.Name, service.Args{"list": name, "item": item.Name,
					"span": item.Overdue, "every": list.Every, "verb": item.Verb, "of": item.Target})
			}
		}
	}
	return nil
}
