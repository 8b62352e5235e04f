package dataset

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"upkeep/internal/service"
)

// losses are what a table has less of than it had.
type losses struct {
	table  string
	was    past
	now    past
	totals []string         // names of those that fell, in order
	groups map[string]fewer // by name of lasting
}

// fewer are the values of one lasting expression of which something went.
type fewer struct {
	gone []string
	fell map[string][]string // values, by the total of which they have less
}

// judge reports whether something is less than it was. Where the document was made anew,
// that is the cause, and what went with it is said once.
func (was past) judge(table string, now past, v *service.Verdict) (lost bool) {
	l := losses{table: table, was: was, now: now, groups: map[string]fewer{}}
	for _, total := range slices.Sorted(maps.Keys(now.Totals)) {
		if now.Totals[total] < was.Totals[total] {
			l.totals = append(l.totals, total)
		}
	}
	for name, groups := range now.Groups {
		if f := fewerOf(was.Groups[name], groups); len(f.gone)+len(f.fell) > 0 {
			l.groups[name] = f
		}
	}
	lost = len(l.totals)+len(l.groups) > 0
	if was.Created == "" || now.Created == was.Created {
		l.tell(v)
		return lost
	}
	judge := v.Warn
	if lost {
		judge = v.Crit
	}
	judge("dataset.made-anew", table, service.Args{"table": table, "before": was.Created, "now": now.Created, "since": l.since()})
	if lost {
		l.tellOnce(v)
	}
	return lost
}

func fewerOf(was, now map[string]totals) (f fewer) {
	if len(now) >= mostGroups {
		return f // which of them are not listed, nobody knows
	}
	f.fell = map[string][]string{}
	for _, value := range slices.Sorted(maps.Keys(was)) {
		present, there := now[value]
		if !there {
			f.gone = append(f.gone, value)
			continue
		}
		for total, before := range was[value] {
			if present[total] < before {
				f.fell[total] = append(f.fell[total], value)
			}
		}
	}
	return f
}

func (l losses) since() string { return l.was.At.Format(time.RFC3339) }

// tell says each by itself.
func (l losses) tell(v *service.Verdict) {
	for _, total := range l.totals {
		v.Crit("dataset.total-fell", l.table+"."+total, service.Args{"table": l.table, "total": total, "before": l.was.Totals[total], "now": l.now.Totals[total], "since": l.since()})
	}
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		f, subject := l.groups[name], l.table+"."+name
		if len(f.gone) > 0 {
			first, more := firstOf(f.gone)
			v.Crit("dataset.group-vanished", subject, service.Args{"table": l.table, "name": name, "n": len(f.gone), "groups": first, "more": more, "since": l.since()})
		}
		for _, total := range slices.Sorted(maps.Keys(f.fell)) {
			first, more := firstOf(f.fell[total])
			v.Crit("dataset.group-fell", subject, service.Args{"table": l.table, "name": name, "n": len(f.fell[total]), "groups": first, "more": more, "total": total,
				"before": l.was.Groups[name][first[0]][total], "now": l.now.Groups[name][first[0]][total], "since": l.since()})
		}
	}
}

// tellOnce says all in one: how much of each total is left, and of each lasting expression
// how many values.
func (l losses) tellOnce(v *service.Verdict) {
	var what, gone []string
	for _, total := range l.totals {
		what = append(what, fmt.Sprintf("%s %s → %s", total, short(l.was.Totals[total]), short(l.now.Totals[total])))
	}
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		what = append(what, fmt.Sprintf("%s %d → %d", name, len(l.was.Groups[name]), len(l.was.Groups[name])-len(l.groups[name].gone)))
		gone = append(gone, l.groups[name].gone...)
	}
	first, more := firstOf(gone)
	v.Crit("dataset.lost-anew", l.table, service.Args{"table": l.table, "what": what, "groups": first, "more": more, "since": l.since()})
}

// firstOf bounds names in a finding, and says how many more there are.
func firstOf(all []string) (first []string, more int) {
	return all[:min(mostNamed, len(all))], max(0, len(all)-mostNamed)
}
