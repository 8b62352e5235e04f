package tables

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Name quotes an identifier, Text a value.
func Name(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
func Text(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// List is a list of values.
func List(all []string) string {
	quoted := make([]string, len(all))
	for i, one := range all {
		quoted[i] = Text(one)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// Format is that of a file.
type Format string

// Formats by the ends of names.
const (
	Parquet   Format = "parquet"
	CSV       Format = "csv"
	JSONLines Format = "jsonl"
)

// FormatOf reads it from the end of a name; "" is none of them.
func FormatOf(path string) Format {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".parquet":
		return Parquet
	case ".csv":
		return CSV
	case ".jsonl", ".ndjson":
		return JSONLines
	}
	return ""
}

// csvBuffer is four lines of the longest that DuckDB takes, in bytes. Its usual sixteen, some of
// them per thread, lie beside the limit of memory.
const csvBuffer = "8388608"

// From is what stands after FROM to read files of one format. Columns are matched by
// their names; one that a file lacks is null.
func From(f Format, files ...string) string {
	switch f {
	case CSV:
		return "read_csv(" + List(files) + ", header = true, union_by_name = true, buffer_size = " + csvBuffer + ")"
	case JSONLines:
		return "read_json(" + List(files) + ", format = 'newline_delimited', union_by_name = true)"
	default:
		return "read_parquet(" + List(files) + ", union_by_name = true)"
	}
}

// plainOf makes one of a few types of what the driver gives.
func plainOf(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, time.Time:
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		return whole(new(big.Int).SetUint64(v))
	case float32:
		return float64(v)
	case *big.Int:
		return whole(v)
	case duckdb.Decimal:
		return v.Float64()
	case []byte:
		return hex.EncodeToString(v)
	}
	return written(v)
}

// whole keeps digits that an int64 cannot hold as text.
func whole(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v.String()
}

// written is the text of a value with values of its own, or of a type that is rare.
func written(v any) string {
	if text, err := json.Marshal(v); err == nil {
		return string(text)
	}
	return fmt.Sprint(v)
}
