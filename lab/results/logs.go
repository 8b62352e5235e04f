package results

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"
)

// logs makes log files of five forms in turn.
func (m *maker) logs(context.Context) error {
	forms := []func(logger, *strings.Builder) string{stamped, sharded, bareLevels, pieces, plain}
	for n := range m.Logs {
		at := m.Now.Add(-time.Duration(n) * 17 * time.Minute)
		l := logger{chance(m.Seed, "log", n), at, modelName(n % m.Models)}
		var text strings.Builder
		name := forms[n%len(forms)](l, &text)
		if err := m.put([]byte(text.String()), at, logDir, filepath.FromSlash(name)); err != nil {
			return err
		}
	}
	return nil
}

type logger struct {
	*rand.Rand
	end   time.Time
	model string
}

const logLines = 200

// saying is a line with its level. What troubles most is not at level ERROR.
func (l logger) saying() (level, text string) {
	task := tasks[l.IntN(len(tasks))]
	all := []struct{ level, text string }{
		{"INFO", "✅ 测试完成: " + task + " (success_level=full_success)"},
		{"INFO", "Processing test " + task + " for " + l.model + " with optimal prompt, turn 4"},
		{"DEBUG", "tool_calls=3 executed_tools=['file_operations_reader'] last error: None"},
		{"INFO", "[LLM_ERROR] 429 Too Many Requests: rate limit exceeded, retrying in 8 s"},
		{"WARNING", "Operation timed out after 60 s, attempt 2 of 3"},
		{"INFO", "Database saved successfully: 10 tests"},
		{"INFO", "[AUTH] invalid API key for deployment " + l.model},
		{"ERROR", "Test timeout after 10 minutes: " + task},
	}
	one := all[l.IntN(len(all))]
	if one.level == "ERROR" && l.IntN(3) > 0 {
		return all[0].level, all[0].text
	}
	return one.level, one.text
}

func (l logger) times(yield func(int, time.Time) bool) {
	for n := range logLines {
		at := l.end.Add(time.Duration(n-logLines) * 1300 * time.Millisecond)
		if l.IntN(17) == 0 { // another process of the same second wrote it
			at = at.Add(-4 * time.Second)
		}
		if !yield(n, at) {
			return
		}
	}
}

// stamped is form a, with a traceback now and then.
func stamped(l logger, b *strings.Builder) string {
	for n, at := range l.times {
		level, text := l.saying()
		fmt.Fprintf(b, "%s - batch_test_runner - %s - %s\n", strings.Replace(at.Format("2006-01-02 15:04:05.000"), ".", ",", 1), level, text)
		if n%90 == 60 {
			b.WriteString(traceback)
		}
	}
	return "batch_test_" + l.end.Format("20060102_150405") + ".log"
}

const traceback = `Traceback (most recent call last):
  File "cumulative_test_manager.py", line 512, in add_test_result
    self._update_statistics(record)
  File "cumulative_test_manager.py", line 701, in _update_statistics
    stats['total_errors'] += 1
KeyError: 'total_errors'
`

// sharded is form b: no date in a line, the head of the file has it.
func sharded(l logger, b *strings.Builder) string {
	fmt.Fprintf(b, "# 日志开始: %s\n# 命令: ultra_parallel_runner --model %s --prompt-types optimal --max-workers 50\n# 环境: STORAGE_FORMAT=parquet SKIP_MODEL_LOADING=true\n",
		l.end.Format("2006-01-02 15:04:05"), l.model)
	for n, at := range l.times {
		level, text := l.saying()
		if n%3 == 0 {
			text = strings.Replace(at.Format("2006-01-02 15:04:05.000"), ".", ",", 1) + " - smart_batch_runner - " + level + " - " + text
		}
		fmt.Fprintf(b, "[%s] %s\n", at.Format("15:04:05.000"), text)
	}
	return "ultra_parallel_" + strings.ToLower(l.model) + "_optimal_" + l.end.Format("20060102_150405") + ".log"
}

// bareLevels is form c.
func bareLevels(l logger, b *strings.Builder) string {
	for range l.times {
		level, text := l.saying()
		fmt.Fprintf(b, "%s:interactive_executor:%s\n", level, text)
	}
	return "debug_ultra_" + l.end.Format("20060102_150405") + "/shard_1.log"
}

// pieces is form d: a red [ERROR] stands before lines that are none.
func pieces(l logger, b *strings.Builder) string {
	for n := range l.times {
		_, text := l.saying()
		if n%5 == 0 {
			text = "\x1b[0;31m[ERROR]\x1b[0m " + text
		}
		fmt.Fprintf(b, "[分片%d] %s\n", 1+n%5, text)
	}
	return "test_5_3_" + l.end.Format("20060102_150405") + ".log"
}

// plain is form e.
func plain(l logger, b *strings.Builder) string {
	b.WriteString("╔══════════════════════════════╗\n║  🚀 5.1 基准测试             ║\n╚══════════════════════════════╝\n")
	for n := range l.times {
		_, text := l.saying()
		fmt.Fprintf(b, "📊 进度 %d/%d  %s\n", n+1, logLines, text)
	}
	return "test_5_1_" + l.end.Format("20060102_150405") + ".log"
}
