package inventory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"upkeep/internal/config"
	"upkeep/internal/consistency"
	"upkeep/internal/service"
)

// Rules returns the rules under reconcile: of which both targets are among those
// given, or the named ones. An unknown name is an error.
func (inv *Inventory) Rules(names []string, among func(target string) bool) ([]config.Rule, error) {
	known := map[string]bool{}
	for _, r := range inv.Config.Reconcile {
		known[r.Name] = true
	}
	wanted := map[string]bool{}
	for _, name := range names {
		if !known[name] {
			return nil, fmt.Errorf("rule %q under reconcile: %w", name, service.ErrUndeclared)
		}
		wanted[name] = true
	}
	var rules []config.Rule
	for _, r := range inv.Config.Reconcile {
		if (len(names) == 0 || wanted[r.Name]) && among(r.Rows.Target) && among(r.Things()) {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// ClaimsFirst puts every target whose rows claim things before the targets that hold
// them, and otherwise keeps the order. Copied so, a point claims nothing that came only
// after its things were copied; what went in between, a drill names.
func (inv *Inventory) ClaimsFirst(targets []Target) []Target {
	var ordered []Target
	placed := map[string]bool{}
	var place func(t Target)
	place = func(t Target) {
		if placed[t.Name] {
			return
		}
		placed[t.Name] = true
		for _, r := range inv.Config.Reconcile {
			i := slices.IndexFunc(targets, func(other Target) bool { return other.Name == r.Rows.Target })
			if r.Things() == t.Name && i >= 0 {
				place(targets[i])
			}
		}
		ordered = append(ordered, t)
	}
	for _, t := range targets {
		place(t)
	}
	return ordered
}

// Claims lists what the rows of a rule claim. in is their target, or its scratch
// sibling. A NULL claims nothing.
func Claims(ctx context.Context, in service.Instance, r config.Rule) iter.Seq2[consistency.Item, error] {
	return asked(ctx, in, r.Rows.Query, func(row service.Row) (consistency.Item, bool, error) {
		if r.Objects.Key == "" {
			return first(row)
		}
		key, claims, err := fill(r.Objects.Key, row)
		return consistency.Item{Key: key, Size: sizeOf(row)}, claims, err
	})
}

// Things lists what is there to be claimed.
func Things(ctx context.Context, in service.Instance, r config.Rule) iter.Seq2[consistency.Item, error] {
	if r.Objects.Target == "" {
		return asked(ctx, in, r.Nodes.Query, first)
	}
	return func(yield func(consistency.Item, error) bool) {
		lister, err := service.As[service.Lister](in)
		if err != nil {
			yield(consistency.Item{}, err)
			return
		}
		for key, err := range lister.List(ctx, r.Objects.Prefix) {
			if !yield(consistency.Item{Key: key.Name, Size: key.Size}, err) || err != nil {
				return
			}
		}
	}
}

func asked(ctx context.Context, in service.Instance, query string, item func(service.Row) (consistency.Item, bool, error)) iter.Seq2[consistency.Item, error] {
	return func(yield func(consistency.Item, error) bool) {
		queryer, err := service.As[service.Queryer](in)
		if err != nil {
			yield(consistency.Item{}, err)
			return
		}
		for row, err := range queryer.Query(ctx, query) {
			var it consistency.Item
			counts := true
			if err == nil {
				it, counts, err = item(row)
			}
			if (counts || err != nil) && !yield(it, err) || err != nil {
				return
			}
		}
	}
}

func first(row service.Row) (consistency.Item, bool, error) {
	if len(row.Values) == 0 || row.Values[0] == nil {
		return consistency.Item{}, false, nil
	}
	return consistency.Item{Key: fmt.Sprint(row.Values[0]), Size: -1}, true, nil
}

// fill puts a row's values in place of {column}.
func fill(template string, row service.Row) (key string, claims bool, err error) {
	var pairs []string
	for i, column := range row.Columns {
		if !strings.Contains(template, "{"+column+"}") {
			continue
		}
		if row.Values[i] == nil {
			return "", false, nil
		}
		pairs = append(pairs, "{"+column+"}", fmt.Sprint(row.Values[i]))
	}
	if len(pairs) == 0 {
		return "", false, fmt.Errorf("the rows have no column that key %q names; they have: %s", template, strings.Join(row.Columns, ", "))
	}
	return strings.NewReplacer(pairs...).Replace(template), true, nil
}

// sizeOf is the column called size; -1 where there is none.
func sizeOf(row service.Row) int64 {
	for i, column := range row.Columns {
		if n, ok := row.Values[i].(int64); ok && column == "size" {
			return n
		}
	}
	return -1
}

// Reconciled turns a difference into verdicts by target: the rows' for claims that
// do not hold, the things' for what nobody claims.
func Reconciled(r config.Rule, d consistency.Difference) map[string]service.Verdict {
	var claims, things service.Verdict
	args := func(f consistency.Found) service.Args {
		return service.Args{"rule": r.Name, "n": f.Count, "keys": f.Keys, "rows": r.Rows.Target, "things": r.Things()}
	}
	for _, found := range []struct {
		slug string
		f    consistency.Found
		into *service.Verdict
		as   service.Severity
	}{
		{"reconcile.missing", d.Missing, &claims, r.Severity}, {"reconcile.resized", d.Resized, &claims, r.Severity},
		{"reconcile.unclaimed", d.Unclaimed, &things, service.Warning},
	} {
		if found.f.Count > 0 {
			found.into.Findings = append(found.into.Findings,
				service.Finding{ID: found.slug, Severity: found.as, Subject: r.Name, Args: args(found.f)})
		}
	}
	claims.Set("reconcile_"+r.Name, map[string]any{"claims": d.Claims, "things": d.Things, "score": d.Score()})
	if r.Things() == r.Rows.Target {
		claims.Merge(things)
		return map[string]service.Verdict{r.Rows.Target: claims}
	}
	return map[string]service.Verdict{r.Rows.Target: claims, r.Things(): things}
}

// examples is how many keys a finding names; the count says how many there are.
const examples = 20

// Difference compares the filled lists of a rule. live says that the claims were
// read once more afterwards.
func Difference(ctx context.Context, l *consistency.Ledger, r config.Rule, live bool) (consistency.Difference, error) {
	pair := consistency.Pair{Claims: ListOfClaims(r), Things: ListOfThings(r)}
	if live {
		pair.After = ListOfClaimsAfter(r)
	}
	return l.Compare(ctx, pair, examples)
}

// The lists of one rule in a ledger.
func ListOfClaims(r config.Rule) string      { return r.Name + "/claims" }
func ListOfClaimsAfter(r config.Rule) string { return r.Name + "/claims-after" }
func ListOfThings(r config.Rule) string      { return r.Name + "/things" }
