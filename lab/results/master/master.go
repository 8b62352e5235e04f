// Package master is the JSON database of a results store in its version 3.0, as the
// writers of such a store keep it: the counts lie in leaves, and every level above repeats
// their sums.
package master

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
)

// Database is the whole document.
type Database struct {
	Version     string            `json:"version"`
	CreatedAt   string            `json:"created_at"`
	LastUpdated string            `json:"last_updated"`
	TestGroups  map[string]any    `json:"test_groups"`
	Models      map[string]*Model `json:"models"`
	Summary     Summary           `json:"summary"`
}

// Summary repeats the sums over all models. OverallSuccessRate is in percent.
type Summary struct {
	TotalTests         int64    `json:"total_tests"`
	TotalSuccess       int64    `json:"total_success"`
	TotalPartial       int64    `json:"total_partial"`
	TotalFailure       int64    `json:"total_failure"`
	ModelsTested       []string `json:"models_tested"`
	LastTestTime       string   `json:"last_test_time"`
	OverallSuccessRate *float64 `json:"overall_success_rate,omitempty"`
}

// Model is one model that was tested.
type Model struct {
	ModelName     string             `json:"model_name"`
	FirstTestTime string             `json:"first_test_time"`
	LastTestTime  string             `json:"last_test_time"`
	TotalTests    int64              `json:"total_tests"`
	OverallStats  Leaf               `json:"overall_stats"` // empty for some, as in practice
	ByPromptType  map[string]*Prompt `json:"by_prompt_type"`
}

// Prompt, Rate and Difficulty are the levels between a model and its leaves.
type Prompt struct {
	ByRate  map[string]*Rate `json:"by_tool_success_rate"`
	Summary Leaf             `json:"summary"`
}

type Rate struct {
	ByDifficulty map[string]*Difficulty `json:"by_difficulty"`
}

type Difficulty struct {
	ByTask map[string]Leaf `json:"by_task_type"`
}

// Key names a leaf.
type Key struct {
	Model      string `json:"model"`
	Prompt     string `json:"prompt_type"`
	Rate       string `json:"rate"` // as text: "0.8", "1.0"
	Difficulty string `json:"difficulty"`
	Task       string `json:"task_type"`
}

// New makes a database without a result.
func New(at string) *Database {
	return &Database{Version: "3.0", CreatedAt: at, LastUpdated: at, TestGroups: map[string]any{}, Models: map[string]*Model{},
		Summary: Summary{ModelsTested: []string{}}}
}

// Load reads a database.
func Load(path string) (*Database, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := New("")
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}

// Text is the document as its writers lay it out: two blanks, no escaped letters.
func Text(document any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(document)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// Put sets a leaf and makes the levels above it; at is when it was tested.
func (d *Database) Put(k Key, l Leaf, at string) {
	m := child(&d.Models, k.Model)
	if m.ModelName == "" {
		m.ModelName, m.FirstTestTime, m.OverallStats = k.Model, at, Leaf{}
	}
	m.LastTestTime = max(m.LastTestTime, at)
	difficulty := child(&child(&child(&m.ByPromptType, k.Prompt).ByRate, k.Rate).ByDifficulty, k.Difficulty)
	if difficulty.ByTask == nil {
		difficulty.ByTask = map[string]Leaf{}
	}
	difficulty.ByTask[k.Task] = l
}

// child is the entry of a map; it is made when missing, as the map is.
func child[T any](under *map[string]*T, name string) *T {
	if *under == nil {
		*under = map[string]*T{}
	}
	if (*under)[name] == nil {
		(*under)[name] = new(T)
	}
	return (*under)[name]
}

// Leaf is the one that k names; nil when there is none.
func (d *Database) Leaf(k Key) Leaf {
	for l := range d.Models[k.Model].leaves(k.Model) {
		if l == k {
			return d.Models[k.Model].ByPromptType[k.Prompt].ByRate[k.Rate].ByDifficulty[k.Difficulty].ByTask[k.Task]
		}
	}
	return nil
}

// Leaves gives all leaves in the order of their keys.
func (d *Database) Leaves() iter.Seq2[Key, Leaf] {
	return func(yield func(Key, Leaf) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.Models)) {
			for k, l := range d.Models[name].leaves(name) {
				if !yield(k, l) {
					return
				}
			}
		}
	}
}

func (m *Model) leaves(name string) iter.Seq2[Key, Leaf] {
	return func(yield func(Key, Leaf) bool) {
		if m == nil {
			return
		}
		for _, prompt := range slices.Sorted(maps.Keys(m.ByPromptType)) {
			for k, l := range m.ByPromptType[prompt].leaves() {
				k.Model, k.Prompt = name, prompt
				if !yield(k, l) {
					return
				}
			}
		}
	}
}

func (p *Prompt) leaves() iter.Seq2[Key, Leaf] {
	return func(yield func(Key, Leaf) bool) {
		for _, rate := range slices.Sorted(maps.Keys(p.ByRate)) {
			difficulties := p.ByRate[rate].ByDifficulty
			for _, difficulty := range slices.Sorted(maps.Keys(difficulties)) {
				tasks := difficulties[difficulty].ByTask
				for _, task := range slices.Sorted(maps.Keys(tasks)) {
					if !yield(Key{Rate: rate, Difficulty: difficulty, Task: task}, tasks[task]) {
						return
					}
				}
			}
		}
	}
}
