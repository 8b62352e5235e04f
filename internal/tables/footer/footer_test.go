package footer_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"

	"upkeep/internal/tables/footer"
)

type result struct {
	Model string  `parquet:"model,dict"`
	Rate  float32 `parquet:"tool_success_rate,optional"`
	Total int64   `parquet:"total"`
}

// written makes a file of some pages in two row groups, with checksums.
func written(t *testing.T) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "results.parquet")
	rows := make([]result, 3000)
	for i := range rows {
		rows[i] = result{[]string{"qwen", "gpt"}[i%2], 0.8, int64(i)}
	}
	if err := parquet.WriteFile(path, rows, parquet.MaxRowsPerRowGroup(2000), parquet.PageBufferSize(1000)); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAWholeFile(t *testing.T) {
	path, content := written(t)
	f, err := footer.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows != 3000 || f.Groups != 2 || f.Size != int64(len(content)) || len(f.Columns) != 3 {
		t.Errorf("got %+v", f)
	}
	if c := f.Columns[1]; c != (footer.Column{Name: "tool_success_rate", Type: "FLOAT", Optional: true}) {
		t.Errorf("got %+v", c)
	}
	all, err := footer.Walk(t.Context(), path)
	if err != nil || all.Pages < 10 || all.Checked != all.Pages {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestTornFooters(t *testing.T) {
	path, content := written(t)
	length := len(content)
	claims := func(n uint32) []byte {
		torn := append([]byte(nil), content...)
		binary.LittleEndian.PutUint32(torn[length-8:], n)
		return torn
	}
	for name, torn := range map[string][]byte{
		"nothing":           {},
		"marks alone":       []byte("PAR1PAR1"),
		"cut off":           content[:length-100],
		"a footer too long": claims(1_342_205_765),
		"one too short":     claims(10),
		"none":              claims(0),
		"zeros":             append(append([]byte("PAR1"), make([]byte, length)...), claims(200)[length-8:]...),
	} {
		t.Run(name, func(t *testing.T) {
			put(t, path, torn)
			if f, err := footer.Read(path); err == nil {
				t.Errorf("it is read: %+v", f)
			}
		})
	}
}

func TestAPageThatChanged(t *testing.T) {
	path, content := written(t)
	content[bytes.Index(content, []byte("qwen"))]++ // in the dictionary, which comes first
	put(t, path, content)
	if _, err := footer.Read(path); err != nil {
		t.Errorf("the footer is whole: %v", err)
	}
	if all, err := footer.Walk(t.Context(), path); !errors.Is(err, parquet.ErrCorrupted) {
		t.Errorf("got %+v, %v", all, err)
	}
}

// What headers say beside sizes has no checksum: such files may pass, and none ends the
// program.
func TestFlippedBits(t *testing.T) {
	path, content := written(t)
	random, found := rand.New(rand.NewPCG(1, 2)), 0
	for range 500 {
		flipped := bytes.Clone(content)
		flipped[random.IntN(len(content))] ^= 1 << random.IntN(8)
		put(t, path, flipped)
		if _, err := footer.Walk(t.Context(), path); err != nil {
			found++
		}
	}
	if found < 400 {
		t.Errorf("%d of 500 are found", found)
	}
}
