package results

import (
	"fmt"

	"upkeep/lab/results/master"
)

var (
	tasks  = []string{"simple_task", "basic_task", "data_pipeline", "api_integration", "multi_stage_pipeline"}
	flaws  = []string{"sequence_disorder", "tool_misuse", "parameter_error", "missing_step", "redundant_operations", "logical_inconsistency", "semantic_drift"}
	rates  = []string{"0.6", "0.7", "0.8", "0.9", "1.0"}
	levels = []string{"very_easy", "easy", "medium", "hard"}
)

// models are names that stay different when case and numbers of deployments are folded.
var models = []string{"qwen2.5-72b-instruct", "DeepSeek-V3-0324", "Llama-3.3-70B-Instruct", "gpt-4o-mini", "grok-3-mini", "qwen2.5-32b-instruct",
	"qwen2.5-7b-instruct", "DeepSeek-R1-0528", "gpt-5-mini", "o3-0416-global", "claude_sonnet4", "gemini-2.5-flash-06-17", "qwen2.5-3b-instruct"}

func modelName(n int) string {
	if n < len(models) {
		return models[n]
	}
	return fmt.Sprintf("mistral-small-24b-r%03d", n-len(models)+1)
}

func prompts() []string {
	all := []string{"optimal", "baseline", "cot"}
	for _, flaw := range flaws {
		all = append(all, "flawed_"+flaw)
	}
	return all
}

// tested lists what the five phases of the benchmark test of each model: scale, kinds of
// prompts, reliability of tools. It is less than a tenth of what could be.
func tested(model string) (all []master.Key) {
	add := func(prompt, rate, difficulty string) {
		for _, task := range tasks {
			all = append(all, master.Key{Model: model, Prompt: prompt, Rate: rate, Difficulty: difficulty, Task: task})
		}
	}
	for _, rate := range rates {
		add("optimal", rate, "easy")
	}
	add("optimal", "0.8", "very_easy")
	add("optimal", "0.8", "medium")
	for _, prompt := range prompts()[1:] {
		add(prompt, "0.8", "easy")
	}
	return all
}

// untested gives keys that no store holds, without end: of its models first, then of
// others.
type untested struct {
	model, at int
	held      map[master.Key]bool // of the model
}

func (u *untested) next() master.Key {
	for {
		if u.at == 0 {
			u.held = map[master.Key]bool{}
			for _, k := range tested(modelName(u.model)) {
				u.held[k] = true
			}
		}
		k := gridKey(modelName(u.model), u.at)
		u.at++
		if u.at == len(prompts())*len(rates)*len(levels)*len(tasks) {
			u.model, u.at = u.model+1, 0
		}
		if !u.held[k] {
			return k
		}
	}
}

// gridKey is the nth of all keys that a model could have.
func gridKey(model string, n int) master.Key {
	k := master.Key{Model: model, Rate: rates[n%len(rates)]}
	n /= len(rates)
	k.Difficulty = levels[n%len(levels)]
	n /= len(levels)
	k.Task, k.Prompt = tasks[n%len(tasks)], prompts()[n/len(tasks)]
	return k
}
