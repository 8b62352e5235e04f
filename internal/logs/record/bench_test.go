package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"upkeep/internal/logs/record"
)

// BenchmarkNext reads the forms of the maintained systems in the proportions that
// they have there: most lines are of Python's logging.
func BenchmarkNext(b *testing.B) {
	forms := []string{
		"%s - app.services.ocr_service - INFO - 第3页处理完成，耗时1.5秒 task_id=0194c1aa slices=17\n",
		"%s - httpx - DEBUG - HTTP Request: POST https://api.example.com/v1/chat/completions \"HTTP/1.1 200 OK\"\n",
		"[%s: INFO/ForkPoolWorker-2] Task app.workers.tasks.ocr_processing[414f4b2e-dc67-4eae-7c22-cf1eec0f4749] received\n",
		"%s UTC [1234] LOG:  checkpoint complete: wrote 12 buffers (0.1%%); 0 WAL file(s) added\n",
		"[10:15:02.123] ✅ 保存成功: 12 条记录写入 /var/lib/results/a.json\n",
		`{"event": "request_completed", "method": "GET", "path": "/api/v1/projects", "level": "info", "logger": "app.middleware", "timestamp": "2026-11-25T18:44:38.123456Z"}` + "\n",
	}
	var text bytes.Buffer
	for i := range 100_000 {
		form := forms[[...]int{0, 0, 0, 1, 1, 1, 2, 3, 4, 5}[i%10]]
		if i%10 >= 8 {
			text.WriteString(form)
			continue
		}
		fmt.Fprintf(&text, form, time.Date(2026, 11, 25, 0, 0, i, 123e6, time.UTC).Format("2006-01-02 15:04:05,000"))
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		r := record.NewReader(bytes.NewReader(text.Bytes()), record.Options{})
		for {
			if _, err := r.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
