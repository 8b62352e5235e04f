package consistency_test

import (
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/consistency"
	"upkeep/internal/database"
)

func ledger(t *testing.T) *consistency.Ledger {
	t.Helper()
	db, err := database.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	l, err := consistency.NewLedger(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// items reads "a b:3": keys, with a size where one is given.
func items(text string) iter.Seq2[consistency.Item, error] {
	return func(yield func(consistency.Item, error) bool) {
		for _, word := range strings.Fields(text) {
			item := consistency.Item{Size: -1}
			key, size, sized := strings.Cut(word, ":")
			item.Key = key
			if sized {
				fmt.Sscan(size, &item.Size)
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

func TestBothDirectionsAndSizes(t *testing.T) {
	for name, c := range map[string]struct {
		claims, things, after                string
		missing, unclaimed, resized, example string
		score                                float64
	}{
		"equal":                        {claims: "a b c", things: "c b a", score: 1},
		"nothing anywhere":             {score: 1},
		"one is missing":               {claims: "a b", things: "a", missing: "b", score: 0.5},
		"one is unclaimed":             {claims: "a", things: "a b", unclaimed: "b", score: 0.5},
		"one has another size":         {claims: "a:1 b:2", things: "a:1 b:3", resized: "b", score: 0.5},
		"an unknown size is no claim":  {claims: "a", things: "a:7", score: 1},
		"claimed twice":                {claims: "a a", things: "a", score: 1},
		"gone while things were read":  {claims: "a b", things: "a", after: "a", score: 1},
		"came while things were read":  {claims: "a", things: "a b", after: "a b", score: 1},
		"missing before and after":     {claims: "a b", things: "a", after: "a b", missing: "b", score: 0.5},
		"resized while it was read":    {claims: "a:1", things: "a:2", after: "a:2", score: 1},
		"unclaimed whoever one asks":   {claims: "a", things: "a b c", after: "a c", unclaimed: "b", score: 2. / 3},
		"all things of everything":     {claims: "x y", things: "z", missing: "x y", unclaimed: "z", score: 0},
		"only some examples are named": {claims: "", things: "e d c b a", unclaimed: "a b c", score: 0},
	} {
		t.Run(name, func(t *testing.T) {
			l, pair := ledger(t), consistency.Pair{Claims: "rows", Things: "objects"}
			lists := map[string]string{"rows": c.claims, "objects": c.things}
			if c.after != "" {
				pair.After, lists["after"] = "after", c.after
			}
			for list, text := range lists {
				if _, err := l.Fill(t.Context(), list, items(text)); err != nil {
					t.Fatal(err)
				}
			}
			d, err := l.Compare(t.Context(), pair, 3)
			if err != nil {
				t.Fatal(err)
			}
			for sort, pair := range map[string][2]string{"missing": {strings.Join(d.Missing.Keys, " "), c.missing},
				"unclaimed": {strings.Join(d.Unclaimed.Keys, " "), c.unclaimed}, "resized": {strings.Join(d.Resized.Keys, " "), c.resized}} {
				if pair[0] != pair[1] {
					t.Errorf("%s: %q, want %q", sort, pair[0], pair[1])
				}
			}
			if got := d.Score(); got < c.score-1e-9 || got > c.score+1e-9 {
				t.Errorf("score %v, want %v", got, c.score)
			}
		})
	}
}

func TestAListThatBreaksOffIsNoList(t *testing.T) {
	l, broken := ledger(t), errors.New("broken")
	if _, err := l.Fill(t.Context(), "rows", items("a b")); err != nil {
		t.Fatal(err)
	}
	_, err := l.Fill(t.Context(), "rows", func(yield func(consistency.Item, error) bool) {
		_ = yield(consistency.Item{Key: "c", Size: -1}, nil) && yield(consistency.Item{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	d, err := l.Compare(t.Context(), consistency.Pair{Claims: "rows", Things: "objects"}, 3)
	if err != nil || d.Missing.Count != 2 {
		t.Errorf("the earlier list is not as it was: %+v, %v", d, err)
	}
}
