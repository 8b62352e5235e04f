package corpus

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

var (
	areas  = []string{"uploads", "exports", "results", "logs", "docs"}
	topics = []string{"report", "抽取结果", "slice", "项目", "figure", "dataset", "run", "日志"}
	words  = []string{
		"the", "of", "and", "graph", "entity", "relation", "question", "answer", "chain", "thought", "model",
		"status", "completed", "failed", "page", "table", "figure", "section", "because", "therefore", "result",
		"知识", "图谱", "实体", "关系", "问题", "推理", "步骤", "因此", "结果", "文档", "切片", "模型", "数据", "方法", "实验",
		"\"id\":", "\"text\":", "\"score\":", "INFO", "ERROR", "{", "}", "\n", "\n", ", ", ": ", "。", "，",
	}
)

func writeContent(path string, f file) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 256<<10)
	if f.text {
		err = writeText(buffered, f.seed, f.size)
	} else {
		err = writeNoise(buffered, f.seed, f.size)
	}
	if err == nil {
		err = buffered.Flush()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return err
}

// writeText writes a log, JSON records or prose, by the seed. Like real ones they
// repeat keys, phrases and growing numbers at a distance: words drawn one by one
// would compress equally well at every level and hide what a compressor is worth.
func writeText(w io.Writer, seed uint64, size int64) error {
	rng := rand.New(rand.NewPCG(seed, 2))
	format := []func([]byte, *rand.Rand, uint64) []byte{logLine, record, sentence}[seed%3]
	phrases := rand.NewZipf(rng, 1.2, 4, uint64(len(words)-1))
	line := make([]byte, 0, 1024)
	for n := seed % 100000; size > 0; n++ {
		line = format(line[:0], rng, n)
		for range rng.IntN(12) {
			line = append(append(line, words[phrases.Uint64()]...), ' ')
		}
		line = append(line, '\n')
		line = line[:min(int64(len(line)), size)]
		if _, err := w.Write(line); err != nil {
			return err
		}
		size -= int64(len(line))
	}
	return nil
}

func logLine(b []byte, rng *rand.Rand, n uint64) []byte {
	b = base.Add(-time.Duration(n)*time.Second+time.Duration(rng.IntN(1000))*time.Millisecond).AppendFormat(b, "2006-01-02 15:04:05.000")
	b = append(b, [...]string{" INFO ", " INFO ", " INFO ", " WARNING ", " ERROR "}[rng.IntN(5)]...)
	b = append(b, [...]string{"app.api.files", "app.services.ocr_service", "celery.worker.strategy", "app.core.database"}[rng.IntN(4)]...)
	b = append(b, [...]string{": task received id=", ": 切片完成 file=", ": request finished in ms ", ": retry after timeout, attempt "}[rng.IntN(4)]...)
	b = strconv.AppendUint(b, rng.Uint64()>>(20+rng.IntN(40)), 16)
	return append(b, ' ')
}

func record(b []byte, rng *rand.Rand, n uint64) []byte {
	b = append(b, `{"id": "`...)
	b = strconv.AppendUint(b, rng.Uint64(), 16)
	b = append(b, `", "sequence_number": `...)
	b = strconv.AppendUint(b, n, 10)
	b = append(b, `, "slice_type": "PARAGRAPH", "status": "`...)
	b = append(b, [...]string{"COMPLETED", "PENDING", "FAILED"}[rng.IntN(3)]...)
	b = append(b, `", "confidence_score": `...)
	b = strconv.AppendFloat(b, rng.Float64(), 'f', 4, 64)
	return append(b, `, "content": "`...)
}

func sentence(b []byte, rng *rand.Rand, _ uint64) []byte {
	for range 3 + rng.IntN(20) {
		b = append(append(b, words[rng.IntN(len(words))]...), ' ')
	}
	return b
}

// writeNoise writes bytes that do not compress.
func writeNoise(w io.Writer, seed uint64, size int64) error {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, err := io.CopyN(w, rand.NewChaCha8(key), size)
	return err
}
