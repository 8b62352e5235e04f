package results

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"upkeep/lab/results/master"
)

// documentFaults change what the JSON database of version 3.0 says; it stays a document.
// Where tests were lost, all its levels agree about the rest: that is how the writers lose them.
func documentFaults() []fault {
	return []fault{
		{"summary-zero", inDocument(summaryZero)},
		{"summary-partial", inDocument(summaryPartial)},
		{"leaf-off", inDocument(leafOff)},
		{"model-total-off", inDocument(modelTotalOff)},
		{"recreated-empty", inDocument(recreated)},
		{"vanished-model", inDocument(vanishedModel)},
		{"vanished-prompt", inDocument(vanishedPrompt)},
		{"overwritten-prompt", inDocument(overwritten)},
		{"polluted", inDocument(polluted)},
		{"counts-disagree", inDocument(disagree)},
	}
}

func inDocument(change func(*master.Database) (what string, err error)) func(context.Context, store) (Planted, error) {
	return func(_ context.Context, s store) (Planted, error) {
		path := s.path(jsonDir, "master_database.json")
		d, err := master.Load(path)
		if errors.Is(err, os.ErrNotExist) || err == nil && d.Version != "3.0" {
			return Planted{}, fmt.Errorf("no JSON database of version 3.0: %w", ErrShape)
		}
		if err != nil {
			return Planted{}, err
		}
		what, err := change(d)
		if err != nil {
			return Planted{}, err
		}
		text, err := master.Text(d)
		if err != nil {
			return Planted{}, err
		}
		return s.planted(path, "%s", what), os.WriteFile(path, text, 0o644)
	}
}

func summaryZero(d *master.Database) (string, error) {
	was := d.Summary.TotalTests
	d.Summary = master.Summary{ModelsTested: []string{}}
	return fmt.Sprintf("the summary says 0 tests, the leaves %d", was), nil
}

// summaryPartial is what a repair leaves that sets the number of tests alone.
func summaryPartial(d *master.Database) (string, error) {
	d.Summary = master.Summary{TotalTests: d.Summary.TotalTests, ModelsTested: []string{}}
	return fmt.Sprintf("the summary says %d tests and 0 successes, failures and models", d.Summary.TotalTests), nil
}

func leafOff(d *master.Database) (string, error) {
	for k, l := range d.Leaves() {
		l["failed"]++
		return fmt.Sprintf("in the leaf %v, success + failed is total + 1", k), nil
	}
	return "", fmt.Errorf("no leaf: %w", ErrShape)
}

func modelTotalOff(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	m.TotalTests += 54
	return fmt.Sprintf("the total of %s is 54 tests more than its leaves", m.ModelName), nil
}

// recreated is what writers leave that could not load the database.
func recreated(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	was, last := d.Summary.TotalTests, d.LastUpdated
	at, err := time.Parse("2006-01-02T15:04:05.000000", last)
	if err != nil {
		return "", err
	}
	at = at.Add(time.Hour)
	*d = *master.New(stamp(at))
	for _, task := range tasks[:2] {
		l := master.Leaf{}
		l.Record(true, false)
		l.Record(false, false)
		d.Put(master.Key{Model: m.ModelName, Prompt: "optimal", Rate: "0.8", Difficulty: "easy", Task: task}, l, stamp(at))
	}
	d.Recount()
	d.Summary = master.Summary{ModelsTested: []string{}}
	return fmt.Sprintf("the database was begun anew at %s: 4 tests instead of %d", d.CreatedAt, was), nil
}

// first is the first model by name.
func first(d *master.Database) (*master.Model, error) {
	names := slices.Sorted(maps.Keys(d.Models))
	if len(names) == 0 {
		return nil, fmt.Errorf("no model: %w", ErrShape)
	}
	return d.Models[names[0]], nil
}

func vanishedModel(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	delete(d.Models, m.ModelName)
	d.Recount()
	return fmt.Sprintf("the model %s is gone with its %d tests", m.ModelName, m.TotalTests), nil
}

func vanishedPrompt(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	was := m.TotalTests
	delete(m.ByPromptType, "optimal")
	d.Recount()
	return fmt.Sprintf("the prompts optimal of %s are gone with their %d tests", m.ModelName, was-m.TotalTests), nil
}

func overwritten(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	was := m.TotalTests
	for k, l := range d.Leaves() {
		if k.Model != m.ModelName || k.Prompt != "optimal" {
			continue
		}
		fewer := master.Leaf{}
		for n := range l.Count("total") / 2 {
			fewer.Record(n%3 > 0, n%3 == 1)
		}
		d.Put(k, fewer, m.LastTestTime)
	}
	d.Recount()
	return fmt.Sprintf("the tests of prompts optimal of %s are %d fewer than before", m.ModelName, was-m.TotalTests), nil
}

func polluted(d *master.Database) (string, error) {
	m, err := first(d)
	if err != nil {
		return "", err
	}
	usual := master.Key{Model: m.ModelName, Prompt: "optimal", Rate: "0.8", Difficulty: "easy", Task: "simple_task"}
	odd := []master.Key{usual, usual, usual, usual, usual}
	odd[0].Prompt, odd[1].Task, odd[2].Task = "flawed", "unknown", "file_processing"
	odd[3].Model, odd[4].Model = "llama-4-scout-17b", "test-model-protection"
	for _, k := range odd {
		l := master.Leaf{}
		l.Record(true, false)
		l.Record(false, false)
		d.Put(k, l, m.LastTestTime)
	}
	d.Recount()
	return "there are flawed prompts without a type, tasks unknown and file_processing, the models llama-4-scout-17b and test-model-protection", nil
}

// disagree adds one test in the JSON database alone.
func disagree(d *master.Database) (string, error) {
	for k, l := range d.Leaves() {
		l.Record(true, false)
		d.Recount()
		return fmt.Sprintf("%v has %d tests in the JSON database and one fewer in the Parquet file", k, l.Count("total")), nil
	}
	return "", fmt.Errorf("no leaf: %w", ErrShape)
}
