package writer

import (
	"errors"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"upkeep/lab/results/record"
)

// row is a test in a Parquet file of generation A.
type row struct {
	Model           *string  `parquet:"model,optional,dict"`
	PromptType      *string  `parquet:"prompt_type,optional,dict"`
	ToolSuccessRate *float32 `parquet:"tool_success_rate,optional"`
	Difficulty      *string  `parquet:"difficulty,optional,dict"`
	TaskType        *string  `parquet:"task_type,optional,dict"`
	Total           *int32   `parquet:"total,optional"`
	Successful      *int32   `parquet:"successful,optional"`
	Partial         *int32   `parquet:"partial,optional"`
	Failed          *int32   `parquet:"failed,optional"`
	SuccessRate     *float32 `parquet:"success_rate,optional"`
	PartialRate     *float32 `parquet:"partial_rate,optional"`
	FailureRate     *float32 `parquet:"failure_rate,optional"`
	Weighted        *float32 `parquet:"weighted_success_score,optional"`
	AvgTime         *float32 `parquet:"avg_execution_time,optional"`
	AvgTurns        *float32 `parquet:"avg_turns,optional"`
	AvgCalls        *float32 `parquet:"avg_tool_calls,optional"`
	AvgQuality      *float32 `parquet:"avg_quality_score,optional"`
	Timestamp       *string  `parquet:"timestamp,optional"`
	Source          *string  `parquet:"source,optional,dict"`
	TestID          *string  `parquet:"test_id,optional"`
	Success         *bool    `parquet:"success,optional"`
	PartialSuccess  *bool    `parquet:"partial_success,optional"`
}

// rowOf counts a partial success as no success, as generation A does.
func rowOf(r record.Result) row {
	full, partial := r.Success && !r.PartialSuccess, r.PartialSuccess
	failed := !full && !partial
	share := func(is bool) *float32 { return new(float32(one(is))) }
	weighted := float32(one(full)) + float32(one(partial))/2
	return row{&r.Model, &r.PromptType, new(float32(r.ToolSuccessRate)), &r.Difficulty, &r.TaskType,
		new(int32(1)), new(one(full)), new(one(partial)), new(one(failed)), share(full), share(partial), share(failed), &weighted,
		new(float32(r.ExecutionTime)), new(float32(r.Turns)), new(float32(2)), new(weighted), &r.Timestamp, new("batch_append"), &r.TaskID, &full, &partial}
}

func one(is bool) int32 {
	if is {
		return 1
	}
	return 0
}

// increment is the file of one process. It is not safe for concurrent use.
type increment struct {
	path   string
	atomic bool // a new file and a rename; else in place, as the programs do it that are in use
}

func incrementName(pid int, started string) string {
	return "increment_" + strconv.Itoa(pid) + "_" + started + ".parquet"
}

// add reads what is there, adds rows and writes all of it again.
func (i increment) add(results []record.Result) error {
	rows, err := parquet.ReadFile[row](i.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, r := range results {
		rows = append(rows, rowOf(r))
	}
	to := i.path
	if i.atomic {
		to += ".tmp"
	}
	err = write(to, rows)
	if err == nil && i.atomic {
		return os.Rename(to, i.path)
	}
	return err
}

// write empties the file first: who reads it meanwhile finds a part of it.
func write(path string, rows []row) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return parquet.Write(file, rows, parquet.Compression(&parquet.Snappy))
}
