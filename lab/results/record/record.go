// Package record is one result of the benchmark as the programs that make results hand
// it on: in files of temp_results, and as a row of an increment of their own.
package record

import (
	"fmt"
	"strconv"
	"time"

	"upkeep/lab/results/master"
)

// Result is one test.
type Result struct {
	TaskID            string   `json:"task_id"` // a test_id
	SessionID         string   `json:"session_id"`
	TestInstance      int64    `json:"test_instance"`
	Model             string   `json:"model"`
	TaskType          string   `json:"task_type"`
	PromptType        string   `json:"prompt_type"`
	Difficulty        string   `json:"difficulty"`
	ToolSuccessRate   float64  `json:"tool_success_rate"`
	Success           bool     `json:"success"`
	PartialSuccess    bool     `json:"partial_success"`
	SuccessLevel      string   `json:"success_level"` // full_success, partial_success or failure
	ExecutionTime     float64  `json:"execution_time"`
	Turns             int      `json:"turns"`
	ToolCalls         any      `json:"tool_calls"` // a list, or their number
	ErrorMessage      *string  `json:"error_message"`
	IsFlawed          bool     `json:"is_flawed"`
	FlawType          *string  `json:"flaw_type"`
	FormatErrorCount  int      `json:"format_error_count"`
	ExecutionStatus   string   `json:"execution_status"`
	Timestamp         string   `json:"timestamp"`
	ToolReliability   float64  `json:"tool_reliability"`
	AIErrorCategory   *string  `json:"ai_error_category,omitempty"`
	RequiredToolNames []string `json:"required_tools"`
}

// Labels of outcomes, as test_ids name them.
const (
	Full    = "success"
	Partial = "partial"
	Failed  = "failed"
)

// Batch is a file of temp_results.
type Batch struct {
	Model       string   `json:"model"`
	Results     []Result `json:"results"`
	Timestamp   string   `json:"timestamp"`
	PID         int      `json:"pid"`
	ProcessInfo string   `json:"process_info"`
	ResultCount int      `json:"result_count"`
}

// ID is the test_id of a test of a key.
func ID(k master.Key, label string, n int64) string {
	return fmt.Sprintf("%s_%s_%s_%s_%s_%s_%d", k.Model, k.Prompt, k.Rate, k.Difficulty, k.Task, label, n)
}

// New makes a result of a key; n is its number among those of the key.
func New(k master.Key, label string, n int64, at time.Time) Result {
	rate, err := strconv.ParseFloat(k.Rate, 64)
	if err != nil {
		rate = 0.8
	}
	r := Result{TaskID: ID(k, label, n), SessionID: "session_" + at.Format("20060102_1504"), TestInstance: n, Model: k.Model, TaskType: k.Task,
		PromptType: k.Prompt, Difficulty: k.Difficulty, ToolSuccessRate: rate, Success: label != Failed, PartialSuccess: label == Partial,
		SuccessLevel:  map[string]string{Full: "full_success", Partial: "partial_success", Failed: "failure"}[label],
		ExecutionTime: float64(4000+n*37%30000) / 1000, Turns: int(3 + n%7), ToolCalls: int(2 + n%5), ExecutionStatus: "completed",
		Timestamp: at.Format("2006-01-02T15:04:05.000000"), ToolReliability: 0.8, RequiredToolNames: []string{"file_operations_reader", "data_processing_parser"}}
	if n%2 == 0 {
		r.ToolCalls = []string{"file_operations_reader", "data_processing_parser"}
	}
	if label == Failed {
		message := "Test timeout after 10 minutes"
		r.ErrorMessage = &message
	}
	return r
}
