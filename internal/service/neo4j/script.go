package neo4j

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
)

// scriptBatch is how many records one statement makes.
const scriptBatch = 200

// scriptWriter writes statements of one line each that make a graph.
type scriptWriter struct {
	to   *bufio.Writer
	left int // properties that Cypher has no way to write
}

const (
	beginScript = "CREATE CONSTRAINT `_upkeep_load` FOR (n:`_UpkeepLoad`) REQUIRE n.`_upkeep_id` IS UNIQUE;\nCALL db.awaitIndexes(300);\n"
	endScript   = "MATCH (n:`_UpkeepLoad`) CALL { WITH n REMOVE n:`_UpkeepLoad`, n.`_upkeep_id` } IN TRANSACTIONS OF 10000 ROWS;\nDROP CONSTRAINT `_upkeep_load`;\n"
)

// write reports errors of the writer too: bufio repeats the first one at Flush.
func (w *scriptWriter) write(ctx context.Context, from *stored) error {
	_, _ = w.to.WriteString(beginScript)
	for _, name := range from.nodes() {
		if err := w.records(ctx, from, name, w.nodes); err != nil {
			return err
		}
	}
	for _, name := range from.relationships() {
		if err := w.records(ctx, from, name, w.relationships); err != nil {
			return err
		}
	}
	_, _ = w.to.WriteString(endScript)
	rules, err := from.rules(ctx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Type != "LOOKUP" { // every database has these
			fmt.Fprintf(w.to, "%s;\n", r.Create)
		}
	}
	return nil
}

func (w *scriptWriter) records(ctx context.Context, from *stored, name string, flush func([]record) error) error {
	b := &batch{flush: flush, most: scriptBatch}
	err := from.each(ctx, name, func(line []byte) error {
		r, err := recordOf(line)
		if err != nil {
			return err
		}
		return b.add(r, len(line))
	})
	if err == nil {
		err = b.end(nil)
	}
	return err
}

func (w *scriptWriter) nodes(records []record) error {
	groups := byLabels(records)
	for _, labels := range slices.Sorted(maps.Keys(groups)) {
		_, _ = w.to.WriteString("UNWIND [")
		for i, r := range groups[labels] {
			w.comma(i)
			fmt.Fprintf(w.to, "{i: %d, p: ", r.ID)
			if err := w.properties(r.Properties); err != nil {
				return err
			}
			_, _ = w.to.WriteString("}")
		}
		fmt.Fprintf(w.to, "] AS row CREATE (n:`_UpkeepLoad`%s) SET n = row.p SET n.`_upkeep_id` = row.i;\n", labels)
	}
	return nil
}

func (w *scriptWriter) relationships(records []record) error {
	_, _ = w.to.WriteString("UNWIND [")
	for i, r := range records {
		w.comma(i)
		fmt.Fprintf(w.to, "{a: %d, b: %d, p: ", r.Start, r.End)
		if err := w.properties(r.Properties); err != nil {
			return err
		}
		_, _ = w.to.WriteString("}")
	}
	fmt.Fprintf(w.to, "] AS row MATCH (a:`_UpkeepLoad` {`_upkeep_id`: row.a}) MATCH (b:`_UpkeepLoad` {`_upkeep_id`: row.b}) "+
		"CREATE (a)-[r:%s]->(b) SET r = row.p;\n", quote(records[0].Type))
	return nil
}

func (w *scriptWriter) comma(i int) {
	if i > 0 {
		_, _ = w.to.WriteString(", ")
	}
}

func (w *scriptWriter) properties(props map[string]any) error {
	_, _ = w.to.WriteString("{")
	written := 0
	for _, name := range slices.Sorted(maps.Keys(props)) {
		if _, bytes := props[name].([]byte); bytes {
			w.left++
			continue
		}
		text, err := literal(props[name])
		if err != nil {
			return fmt.Errorf("property %s: %w", name, err)
		}
		w.comma(written)
		written++
		_, _ = w.to.WriteString(quote(name) + ": " + text)
	}
	_, _ = w.to.WriteString("}")
	return nil
}

// literal writes a value as Cypher reads it.
func literal(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return literalInt(v), nil
	case float64:
		return literalFloat(v), nil
	case string:
		return literalString(v), nil
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			text, err := literal(one)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return literalSpecial(value)
}

// literalInt minds that the least number is a minus before one that is too large.
func literalInt(v int64) string {
	if v == math.MinInt64 {
		return fmt.Sprintf("(%d - 1)", v+1)
	}
	return strconv.FormatInt(v, 10)
}

func literalFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return "(0.0 / 0.0)"
	case math.IsInf(v, 1):
		return "(1.0 / 0.0)"
	case math.IsInf(v, -1):
		return "(-1.0 / 0.0)"
	}
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return strings.Replace(text, "e+", "e", 1)
}

// literalString writes everything that could end the string or the line, and
// backslashes, in the way that is replaced before the statement is read.
func literalString(v string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range v {
		switch {
		case r == '\\':
			b.WriteString(`\u005C\u005C`)
		case r == '\'':
			b.WriteString(`\u005C\u0027`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0x85:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

func literalSpecial(value any) (string, error) {
	switch v := value.(type) {
	case time.Time:
		s := datetimeOf(v)
		zone := s.Zone
		if zone == "" {
			zone = literalOffset(s.Offset)
		}
		return fmt.Sprintf("datetime({datetime: datetime({epochSeconds: %d, nanosecond: %d}), timezone: '%s'})", s.Seconds, s.Nanos, zone), nil
	case dbtype.Date:
		return fmt.Sprintf("(date('1970-01-01') + duration({days: %d}))", v.Time().Unix()/daySeconds), nil
	case dbtype.LocalDateTime:
		wall := asUTC(v.Time())
		return fmt.Sprintf("(localdatetime('1970-01-01T00:00') + duration({seconds: %d, nanoseconds: %d}))", wall.Unix(), wall.Nanosecond()), nil
	case dbtype.LocalTime:
		return "localtime(" + clock(v.Time()) + ")", nil
	case dbtype.Time:
		_, offset := v.Time().Zone()
		at := clock(v.Time())
		return fmt.Sprintf("time(%s, timezone: '%s'})", at[:len(at)-1], literalOffset(offset)), nil
	case dbtype.Duration:
		return fmt.Sprintf("duration({months: %d, days: %d, seconds: %d, nanoseconds: %d})", v.Months, v.Days, v.Seconds, v.Nanos), nil
	case dbtype.Point2D:
		return fmt.Sprintf("point({srid: %d, x: %s, y: %s})", v.SpatialRefId, literalFloat(v.X), literalFloat(v.Y)), nil
	case dbtype.Point3D:
		return fmt.Sprintf("point({srid: %d, x: %s, y: %s, z: %s})", v.SpatialRefId, literalFloat(v.X), literalFloat(v.Y), literalFloat(v.Z)), nil
	}
	return "", fmt.Errorf("%T cannot be written as Cypher", value)
}

func clock(t time.Time) string {
	return fmt.Sprintf("{hour: %d, minute: %d, second: %d, nanosecond: %d}", t.Hour(), t.Minute(), t.Second(), t.Nanosecond())
}

func literalOffset(seconds int) string {
	sign := '+'
	if seconds < 0 {
		sign, seconds = '-', -seconds
	}
	text := fmt.Sprintf("%c%02d:%02d", sign, seconds/3600, seconds/60%60)
	if seconds%60 != 0 {
		text += fmt.Sprintf(":%02d", seconds%60)
	}
	return text
}
