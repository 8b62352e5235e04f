package record_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"upkeep/internal/logs/record"
)

type want struct {
	level               record.Level
	name, message, time string
}

const utc = "2006-01-02T15:04:05.999Z"

func TestHeadsAreReadByTheirForm(t *testing.T) {
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		line string
		want
	}{
		"python logging": {"2026-11-25 18:44:38,123 - app.core - ERROR - boom", want{record.Error, "app.core", "boom", "2026-11-25T18:44:38.123Z"}},
		"celery":         {"[2026-11-25 18:44:38,123: WARNING/ForkPoolWorker-1] Task x received", want{record.Warning, "ForkPoolWorker-1", "Task x received", "2026-11-25T18:44:38.123Z"}},
		"structlog": {`{"event": "user 登录", "level": "critical", "logger": "app", "timestamp": "2026-11-25T18:44:38.5Z"}`,
			want{record.Critical, "app", "user 登录", "2026-11-25T18:44:38.5Z"}},
		"structlog console":         {"\x1b[2m2026-11-25T18:44:38Z\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] \x1b[1mready\x1b[0m", want{record.Info, "", "ready", "2026-11-25T18:44:38Z"}},
		"postgresql":                {"2026-11-25 18:44:38.123 UTC [77] LOG:  ready", want{record.Info, "", "ready", "2026-11-25T18:44:38.123Z"}},
		"postgresql user":           {"2026-11-25 18:44:38.123 UTC [77] cotuser@cotdb FATAL:  no", want{record.Critical, "", "no", "2026-11-25T18:44:38.123Z"}},
		"postgresql before login":   {"2026-11-25 18:44:38.123 UTC [77] [unknown]@[unknown] LOG:  hello", want{record.Info, "", "hello", "2026-11-25T18:44:38.123Z"}},
		"clock only":                {"[18:44:38.123] 开始", want{record.None, "", "开始", "2026-11-24T18:44:38.123Z"}},
		"clock around another head": {"[18:44:38.123] 2026-11-25 18:44:37,001 - llm - DEBUG - x", want{record.Debug, "llm", "x", "2026-11-25T18:44:37.001Z"}},
		"level first":               {"WARNING:urllib3.pool:retrying", want{record.Warning, "urllib3.pool", "retrying", ""}},
		"uvicorn":                   {"INFO:     Started server process [7]", want{record.Info, "", "Started server process [7]", ""}},
		"a prefix that is no level": {"[ERROR] all 12 tests passed", want{record.None, "", "[ERROR] all 12 tests passed", ""}},
		"a prefix around a head":    {"\x1b[31m[ERROR]\x1b[0m 2026-11-25 18:44:38,123 - x - INFO - ok", want{record.Info, "x", "ok", "2026-11-25T18:44:38.123Z"}},
		"a word in the text":        {"2026-11-25 18:44:38 found no ERROR in 3 files", want{record.None, "", "found no ERROR in 3 files", "2026-11-25T18:44:38Z"}},
		"a count in the text":       {"2026-11-25 18:44:38 12 ERROR lines found", want{record.None, "", "12 ERROR lines found", "2026-11-25T18:44:38Z"}},
		"openstack":                 {"2026-11-25 18:44:38.008 25746 INFO nova.wsgi.server [req-1 - -] done", want{record.Info, "", "nova.wsgi.server [req-1 - -] done", "2026-11-25T18:44:38.008Z"}},
		"a letter in the text":      {"2026-11-25 18:44:38 I am ready", want{record.None, "", "I am ready", "2026-11-25T18:44:38Z"}},
		"bare":                      {"✅ 保存成功", want{record.None, "", "✅ 保存成功", ""}},
		"zone":                      {"2026-11-25T18:44:38.5+08:00 INFO x", want{record.Info, "", "x", "2026-11-25T10:44:38.5Z"}},
		"neo4j":                     {"2026-11-25 18:44:38.123+0000 WARN  [db] slow", want{record.Warning, "", "[db] slow", "2026-11-25T18:44:38.123Z"}},
		"rabbitmq":                  {"2026-11-25 18:44:38.123456+00:00 [error] <0.1.0> closed", want{record.Error, "", "<0.1.0> closed", "2026-11-25T18:44:38.123Z"}},
		"redis":                     {"1:M 25 Nov 2026 18:44:38.123 # low memory", want{record.Warning, "", "low memory", "2026-11-25T18:44:38.123Z"}},
		"nginx error":               {"2026/11/25 18:44:38 [crit] 7#7: *1 open()", want{record.Critical, "", "7#7: *1 open()", "2026-11-25T18:44:38Z"}},
		"nginx access":              {`1.2.3.4 - - [25/Nov/2026:18:44:38 +0800] "GET / HTTP/1.1" 200 1`, want{record.None, "", `1.2.3.4 - - [25/Nov/2026:18:44:38 +0800] "GET / HTTP/1.1" 200 1`, "2026-11-25T10:44:38Z"}},
		"apache":                    {"[Sun Dec 04 04:47:44 2005] [notice] up", want{record.Info, "", "up", "2005-12-04T04:47:44Z"}},
		"hdfs":                      {"081109 203615 148 INFO dfs.DataNode: got", want{record.Info, "dfs.DataNode", "got", "2008-11-09T20:36:15Z"}},
		"spark":                     {"17/06/09 20:10:40 ERROR executor.Executor: got", want{record.Error, "executor.Executor", "got", "2017-06-09T20:10:40Z"}},
		"syslog":                    {"Nov 25 18:44:38 box sshd[17]: Accepted", want{record.None, "sshd", "Accepted", "2026-11-25T18:44:38Z"}},
		"android":                   {"11-25 18:44:38.123  1702  2395 E Wifi: lost", want{record.Error, "Wifi", "lost", "2026-11-25T18:44:38.123Z"}},
		"kubernetes":                {"W1125 18:44:38.123456       1 pod.go:12] gone", want{record.Warning, "pod.go:12", "gone", "2026-11-25T18:44:38.123Z"}},
		"container":                 {`{"log":"2026-11-25 18:44:38,000 - a - ERROR - x\n","stream":"stderr","time":"2026-11-25T18:44:39Z"}`, want{record.Error, "a", "x", "2026-11-25T18:44:38Z"}},
		"container without a stamp": {`{"log":"plain\n","stream":"stdout","time":"2026-11-25T18:44:39Z"}`, want{record.None, "", "plain", "2026-11-25T18:44:39Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			records := read(t, c.line+"\n", record.Options{Day: day})
			if len(records) != 1 {
				t.Fatalf("%d records; want one: %+v", len(records), records)
			}
			got := records[0]
			if c.time == "" != !got.stamped {
				t.Errorf("stamped is %v", got.stamped)
			}
			if got.want != c.want {
				t.Errorf("got  %+v\nwant %+v", got.want, c.want)
			}
		})
	}
}

type result struct {
	want
	more, raw string
	stamped   bool
	line      int64
}

func read(t *testing.T, text string, o record.Options) []result {
	t.Helper()
	records, _ := readAll(t, strings.NewReader(text), o)
	return records
}

func readAll(t *testing.T, from io.Reader, o record.Options) ([]result, record.Stats) {
	t.Helper()
	r := record.NewReader(from, o)
	var all []result
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, r.Stats()
		}
		if err != nil {
			t.Fatal(err)
		}
		got := result{want: want{rec.Level, string(rec.Name), string(rec.Message), ""}, more: string(rec.More), raw: string(rec.Raw), stamped: rec.Stamped, line: rec.Line}
		if !rec.Time.IsZero() {
			got.time = rec.Time.UTC().Truncate(time.Millisecond).Format(utc)
		}
		all = append(all, got)
	}
}

func TestLinesJoinTheRecordThatTheyBelongTo(t *testing.T) {
	const head = "2026-11-25 18:44:38,123 - app - ERROR - boom\n"
	for name, c := range map[string]struct{ text, more string }{
		"traceback": {head + "Traceback (most recent call last):\n  File \"a.py\", line 1\n    x()\nKeyError: 'total_errors'\n" + head,
			"Traceback (most recent call last):\n  File \"a.py\", line 1\n    x()\nKeyError: 'total_errors'"},
		"chained tracebacks": {head + "Traceback (most recent call last):\n  x\nKeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  y\nValueError: 2\n" + head,
			"Traceback (most recent call last):\n  x\nKeyError: 1\nDuring handling of the above exception, another exception occurred:\nTraceback (most recent call last):\n  y\nValueError: 2"},
		"java":       {head + "java.io.IOException: gone\n\tat a.B.c(B.java:1)\nCaused by: java.net.SocketException: x\n\t... 3 more\n" + head, "java.io.IOException: gone\n\tat a.B.c(B.java:1)\nCaused by: java.net.SocketException: x\n\t... 3 more"},
		"postgresql": {"2026-11-25 18:44:38.123 UTC [7] ERROR:  no\n2026-11-25 18:44:38.123 UTC [7] STATEMENT:  SELECT 1,\n\t2\n" + head, "2026-11-25 18:44:38.123 UTC [7] STATEMENT:  SELECT 1,\n\t2"},
	} {
		t.Run(name, func(t *testing.T) {
			records := read(t, c.text, record.Options{})
			if len(records) != 2 || records[0].more != c.more || records[1].more != "" {
				t.Errorf("got %d records: %+v\nwant two, the first with %q", len(records), records, c.more)
			}
		})
	}
}

func TestLinesAfterATracebackAreRecordsOfTheirOwn(t *testing.T) {
	records := read(t, "2026-11-25 18:44:38 ERROR x\nTraceback (most recent call last):\n  f\nKeyError: 1\n✅ done\n", record.Options{})
	if len(records) != 2 || records[1].message != "✅ done" || records[1].time != records[0].time {
		t.Errorf("got %+v; want a second record with the time of the first", records)
	}
}

func TestALongLineIsCutAndCounted(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	records, stats := readAll(t, strings.NewReader("before\n"+long+"\nafter\n"), record.Options{})
	if len(records) != 3 || len(records[1].message) != record.MaxLine || records[2].message != "after" {
		t.Fatalf("%d records; want the long line cut and the next one whole", len(records))
	}
	if stats.Cut != 1 || stats.Dropped != int64(len(long)-record.MaxLine) || stats.Lines != 3 {
		t.Errorf("stats %+v; want one line cut and %d bytes dropped", stats, len(long)-record.MaxLine)
	}
}

func TestWhatBelongsToARecordIsBounded(t *testing.T) {
	records, stats := readAll(t, strings.NewReader("head\n"+strings.Repeat(" more\n", 100_000)), record.Options{})
	if len(records) != 1 || len(records[0].more) != record.MaxMore || stats.Dropped == 0 {
		t.Errorf("%d records, stats %+v", len(records), stats)
	}
}

func TestGBKIsDecodedAndBytesAreEscaped(t *testing.T) {
	gbk, err := simplifiedchinese.GBK.NewEncoder().String("数据库连接失败：超时")
	if err != nil {
		t.Fatal(err)
	}
	records, stats := readAll(t, strings.NewReader(gbk+"\na\x00b\xff\x1b[31mc\r\n"), record.Options{})
	if len(records) != 2 || records[0].message != "数据库连接失败：超时" || records[1].message != `a\x00b\xffc` {
		t.Errorf("got %+v", records)
	}
	if records[0].raw != gbk || stats.Decoded != 1 || stats.Escaped != 1 {
		t.Errorf("raw %q, stats %+v; want the bytes as they were", records[0].raw, stats)
	}
}

func TestStampsWithoutADateTakeTheDayThatTheFileNamesAndPassMidnight(t *testing.T) {
	records := read(t, "运行于 2025-08-27，命令 x\n[23:59:58.000] a\n[23:59:57.000] out of order\n[00:00:01.000] b\n", record.Options{})
	want := []string{"", "2025-08-27T23:59:58Z", "2025-08-27T23:59:57Z", "2025-08-28T00:00:01Z"}
	for i, r := range records {
		if r.time != want[i] {
			t.Errorf("record %d has time %q; want %q", i, r.time, want[i])
		}
	}
}

func TestAFailingStreamLosesNothingThatCameBefore(t *testing.T) {
	broken := errors.New("broken")
	r := record.NewReader(io.MultiReader(strings.NewReader("a\nb\n"), failing{broken}), record.Options{})
	for _, want := range []string{"a", "b"} {
		rec, err := r.Next()
		if err != nil || string(rec.Message) != want {
			t.Fatalf("%v, %v; want %s", rec, err, want)
		}
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("error %v; want the stream's", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
