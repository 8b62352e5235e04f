package write_test

import (
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"upkeep/internal/tables"
	"upkeep/internal/tables/write"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.FixedZone("Shanghai", 8*3600))

// columns and rows hold what formats trip over.
var columns = []string{"模型", "text", "n", "x", "ok", "at", "none"}

var hostile = []string{
	"", " ", "a,b", `say "hi"`, "two\r\nlines", "tab\tin", "最优提示 😀", "<b>&amp;</b>", "_x0041_", "'", "NULL", "\u2028", " edge ",
	"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "'=1", "''=1",
}

func rows() (all [][]any) {
	for i, text := range hostile {
		all = append(all, []any{"qwen", text, int64(i), float64(i) / 3, i%2 == 0, noon.Add(time.Duration(i) * time.Second), nil})
	}
	return append(all, []any{nil, nil, int64(math.MaxInt64), math.NaN(), nil, nil, nil}, []any{"", "x", int64(-1), 3.0, true, noon, nil})
}

// written makes a file and counts it.
func written(t *testing.T, name string, o write.Options, columns []string, rows [][]any) (string, write.Done, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	done, err := fill(t, path, o, columns, rows)
	if err == nil {
		count(t, path, len(rows))
	}
	left, globErr := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if globErr != nil || len(left) != 1 {
		t.Errorf("beside the file lie %v, %v", left, globErr)
	}
	return path, done, err
}

func fill(t *testing.T, path string, o write.Options, columns []string, rows [][]any) (done write.Done, err error) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := write.New(t.Context(), write.FormatOf(path), out, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if columns != nil {
		err = w.Head(t.Context(), columns)
	}
	for _, row := range rows {
		if err == nil {
			err = w.Row(row)
		}
	}
	if err == nil {
		done, err = w.Finish(t.Context())
	}
	return done, errors.Join(err, w.Close())
}

func count(t *testing.T, path string, want int) {
	t.Helper()
	if n, err := write.Count(t.Context(), write.FormatOf(path), path); err != nil || n != int64(want) {
		t.Errorf("counted %d of %d rows, %v", n, want, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCSVIsHarmlessAndComesBack(t *testing.T) {
	path, _, err := written(t, "a.csv", write.Options{BOM: true}, columns, rows())
	must(t, err)
	content, err := os.ReadFile(path)
	must(t, err)
	text, marked := strings.CutPrefix(string(content), "\ufeff")
	if !marked || !strings.HasPrefix(text, "模型,text,n,x,ok,at,none\r\nqwen,\"\",0,0.0,true,2026-11-25T04:00:00Z,\r\n") {
		t.Errorf("it begins with %q", text[:80])
	}
	lines, err := stdcsv.NewReader(strings.NewReader(text)).ReadAll()
	must(t, err)
	for i, want := range hostile {
		got := lines[i+1][1]
		if strings.ContainsAny(got[:min(len(got), 1)], "=+-@\t\r\n") || strings.HasPrefix(got, "＝") {
			t.Errorf("%q would be calculated", got)
		}
		if back := unguarded(got); back != strings.ReplaceAll(want, "\r\n", "\n") { // the reader's own doing
			t.Errorf("%q comes back as %q", want, back)
		}
	}
	if got := strings.Join(lines[len(lines)-2], "|"); got != "||9223372036854775807|NaN|||" {
		t.Errorf("the last but one is %s", got)
	}
	if got := lines[len(lines)-1]; got[2] != "-1" || got[3] != "3.0" {
		t.Errorf("numbers are %v", got)
	}
}

// unguarded takes an apostrophe away as the documentation says.
func unguarded(s string) string {
	inner := strings.TrimLeft(s, "'")
	if inner != s && inner != "" && strings.ContainsRune("=+-@\t\r\n\x00＝＋－＠", []rune(inner)[0]) {
		return s[1:]
	}
	return s
}

func TestRawCSVLeavesTextsAlone(t *testing.T) {
	path, _, err := written(t, "a.csv", write.Options{Raw: true}, []string{"=head"}, [][]any{{"=1+1"}, {nil}, {""}, {"-"}})
	must(t, err)
	content, err := os.ReadFile(path)
	if err != nil || string(content) != "=head\r\n=1+1\r\n\"\"\r\n\"\"\r\n-\r\n" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestJSONComesBack(t *testing.T) {
	for _, name := range []string{"a.json", "a.jsonl"} {
		path, _, err := written(t, name, write.Options{}, columns, rows())
		must(t, err)
		content, err := os.ReadFile(path)
		must(t, err)
		if !strings.Contains(string(content), `"模型":"qwen","text":"最优提示 😀"`) || !strings.Contains(string(content), `"n":9223372036854775807,"x":"NaN"`) {
			t.Errorf("%s", content)
		}
		for i, row := range objects(t, content) {
			if i < len(hostile) && (row["text"] != hostile[i] || row["none"] != nil || row["at"] == nil) {
				t.Errorf("row %d is %v", i, row)
			}
		}
	}
}

func objects(t *testing.T, content []byte) (all []map[string]any) {
	t.Helper()
	if content[0] == '[' {
		must(t, json.Unmarshal(content, &all))
		return all
	}
	for dec := json.NewDecoder(strings.NewReader(string(content))); ; {
		var one map[string]any
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

func TestXLSXComesBackWithoutFormulas(t *testing.T) {
	path, done, err := written(t, "a.xlsx", write.Options{SheetRows: 10}, columns, rows())
	must(t, err)
	if done.Sheets != 3 { // 25 rows, 9 each
		t.Errorf("%+v", done)
	}
	book, err := excelize.OpenFile(path)
	must(t, err)
	defer func() { must(t, book.Close()) }()
	var all [][]string
	for _, sheet := range book.GetSheetList() {
		lines, err := book.GetRows(sheet)
		must(t, err)
		if strings.Join(lines[0], " ") != strings.Join(columns, " ") {
			t.Errorf("%s begins with %v", sheet, lines[0])
		}
		panes, err := book.GetPanes(sheet)
		if err != nil || !panes.Freeze || panes.YSplit != 1 {
			t.Errorf("%s: %+v, %v", sheet, panes, err)
		}
		all = append(all, lines[1:]...)
	}
	for i, want := range hostile {
		if all[i][1] != want {
			t.Errorf("%q comes back as %q", want, all[i][1])
		}
	}
	if all[0][5] != "2026-11-25 04:00:00" || all[len(hostile)][2] != "9223372036854775807" {
		t.Errorf("%v, %v", all[0], all[len(hostile)])
	}
	if formula, err := book.GetCellFormula("Sheet2", "B5"); formula != "" || err != nil {
		t.Errorf("formula %q, %v", formula, err)
	}
	if kind, err := book.GetCellType("Sheet3", "C7"); kind != excelize.CellTypeInlineString || err != nil {
		t.Errorf("a number that a float cannot hold is of type %v, %v", kind, err)
	}
}

func TestWhatACellCannotHoldIsRefusedOrCut(t *testing.T) {
	long := strings.Repeat("优", 32_766) + "😀😀" // counted as 32,770
	for name, c := range map[string]struct {
		text, left string
		why        error
	}{
		"too long":               {long, strings.Repeat("优", 32_766), write.ErrTooLong},
		"a control character":    {"a\x00b\x1bc", "abc", write.ErrCharacter},
		"just as long as it may": {strings.Repeat("x", 32_767), strings.Repeat("x", 32_767), nil},
	} {
		t.Run(name, func(t *testing.T) {
			table := [][]any{{"a"}, {c.text}}
			_, _, err := written(t, "a.xlsx", write.Options{}, []string{"note"}, table)
			var at *write.CellError
			if c.why != nil && (!errors.Is(err, c.why) || !errors.As(err, &at) || at.Row != 2 || at.Column != "note") {
				t.Errorf("error %v", err)
			}
			path, done, err := written(t, "a.xlsx", write.Options{Cut: true}, []string{"note"}, table)
			must(t, err)
			book, err := excelize.OpenFile(path)
			must(t, err)
			if got, err := book.GetCellValue("Sheet1", "A3"); got != c.left || err != nil || (done.Cut == 1) != (c.why != nil) {
				t.Errorf("%d characters are left, %+v, %v", len(got), done, err)
			}
			must(t, book.Close())
		})
	}
}

func TestParquetHasTheTypesOfItsValues(t *testing.T) {
	table := [][]any{
		{nil, int64(1), 0.1, true, noon, "最优", int64(1), nil, int64(1)},
		{nil, int64(math.MaxInt64), math.Inf(-1), false, noon, "a'b", 0.5, "x", "y"},
		{nil, nil, math.NaN(), nil, nil, "", nil, nil, nil},
	}
	path, _, err := written(t, "it's.parquet", write.Options{}, []string{"none", "n", "x", "ok", "at", `te"xt`, "mixed", "more", "both"}, table)
	must(t, err)
	db, err := tables.Open(t.Context(), tables.Limits{}, []string{path}, nil)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	row, err := db.One(t.Context(), "SELECT string_agg(column_type, ' ') FROM (DESCRIBE FROM "+tables.From(tables.Parquet, path)+")")
	if err != nil || row.Values[0] != "VARCHAR BIGINT DOUBLE BOOLEAN TIMESTAMP WITH TIME ZONE VARCHAR DOUBLE VARCHAR VARCHAR" {
		t.Errorf("types %v, %v", row.Values, err)
	}
	row, err = db.One(t.Context(), "SELECT * FROM "+tables.From(tables.Parquet, path)+" LIMIT 1 OFFSET 1")
	if err != nil || row.Values[1] != int64(math.MaxInt64) || row.Values[2] != math.Inf(-1) || row.Values[5] != "a'b" || !row.Values[4].(time.Time).Equal(noon) {
		t.Errorf("%v, %v", row.Values, err)
	}
	row, err = db.One(t.Context(), "SELECT string_agg(DISTINCT compression, ' ') FROM parquet_metadata("+tables.Text(path)+")")
	if err != nil || row.Values[0] != "ZSTD" {
		t.Errorf("compression %v, %v", row.Values, err)
	}
}

func TestAnswersWithoutRows(t *testing.T) {
	for _, name := range []string{"a.csv", "a.json", "a.jsonl", "a.xlsx", "a.parquet"} {
		_, _, err := written(t, name, write.Options{}, []string{"model"}, nil)
		must(t, err)
		_, _, err = written(t, name, write.Options{}, nil, nil)
		if (err != nil) != (name == "a.parquet") {
			t.Errorf("%s without columns: %v", name, err)
		}
	}
}

func TestWhatIsNoTableIsRefused(t *testing.T) {
	for _, name := range []string{"a.csv", "a.json", "a.jsonl", "a.xlsx", "a.parquet"} {
		_, _, err := written(t, name, write.Options{}, []string{"a", "a"}, nil)
		if !errors.Is(err, write.ErrTwice) {
			t.Errorf("%s with two columns of one name: %v", name, err)
		}
		_, _, err = written(t, name, write.Options{}, []string{"a"}, [][]any{{"good"}, {"\xff"}})
		if !errors.Is(err, write.ErrNoText) {
			t.Errorf("%s with bytes that are no text: %v", name, err)
		}
	}
	if _, _, err := written(t, "a.parquet", write.Options{}, []string{"n", "N"}, nil); !errors.Is(err, write.ErrTwice) {
		t.Error(err)
	}
	if _, _, err := written(t, "a.xlsx", write.Options{}, make([]string, 16_385), nil); !errors.Is(err, write.ErrTooWide) {
		t.Error(err)
	}
}

// A file that is not whole is not counted as one.
func TestADamagedFileIsNotCounted(t *testing.T) {
	for _, name := range []string{"a.csv", "a.json", "a.xlsx", "a.parquet"} {
		path, _, err := written(t, name, write.Options{}, columns, rows())
		must(t, err)
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Truncate(path, info.Size()-info.Size()/3))
		if n, err := write.Count(t.Context(), write.FormatOf(path), path); err == nil && n == int64(len(rows())) {
			t.Errorf("%s: %d rows", name, n)
		}
	}
}
