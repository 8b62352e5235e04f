package neo4j

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"
	"github.com/tidwall/gjson"
)

// A value is JSON where JSON has the type, and an object with $type where it has
// not. A float always has a point or an exponent, which tells it from an integer.
// Times are numbers, because years go beyond what RFC 3339 can write; "text" beside
// them is for people.

// special is one value that JSON has no type for.
type special struct {
	Type    string    `json:"$type"`
	Value   string    `json:"value,omitempty"`   // float, bytes
	Text    string    `json:"text,omitempty"`    // for people, never read
	Months  int64     `json:"months,omitempty"`  // duration
	Days    int64     `json:"days,omitempty"`    // duration; date: since 1970-01-01
	Seconds int64     `json:"seconds,omitempty"` // of a datetime since 1970-01-01T00:00:00Z; of a time since midnight
	Nanos   int64     `json:"nanos,omitempty"`
	Zone    string    `json:"zone,omitempty"`   // name of a datetime's zone
	Offset  int       `json:"offset,omitempty"` // east of Greenwich in seconds, where there is no zone
	SRID    uint32    `json:"srid,omitempty"`   // point
	At      []float64 `json:"at,omitempty"`     // point: x, y and maybe z
}

// appendValue writes one value. Maps come in order of their keys, so equal values
// give equal bytes.
func appendValue(b []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case float64:
		return appendFloat(b, v)
	case string:
		return appendString(b, v)
	case []any:
		return appendList(b, v)
	case map[string]any:
		return appendMap(b, v)
	case dbtype.Node:
		return appendNode(b, v)
	case dbtype.Relationship:
		return appendRelationship(b, v)
	}
	s, err := specialOf(value)
	if err != nil {
		return nil, err
	}
	return appendJSON(b, s)
}

func appendJSON(b []byte, value any) ([]byte, error) {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return append(b, strings.TrimSuffix(out.String(), "\n")...), nil
}

// appendString writes most strings as they are: an encoder for each name and value
// would take longer than all the rest of a line.
func appendString(b []byte, text string) ([]byte, error) {
	plain := utf8.ValidString(text) && !strings.ContainsAny(text, "\"\\\u2028\u2029")
	for i := 0; plain && i < len(text); i++ {
		plain = text[i] >= ' '
	}
	if !plain {
		return appendJSON(b, text)
	}
	return append(append(append(b, '"'), text...), '"'), nil
}

func appendFloat(b []byte, v float64) ([]byte, error) {
	text := strconv.FormatFloat(v, 'g', -1, 64)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return appendJSON(b, special{Type: "float", Value: text})
	}
	b = append(b, text...)
	if !strings.ContainsAny(text, ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

func appendList(b []byte, list []any) (_ []byte, err error) {
	b = append(b, '[')
	for i, one := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, one); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendMap(b []byte, m map[string]any) (_ []byte, err error) {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, key); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), m[key]); err != nil {
			return nil, fmt.Errorf("property %s: %w", key, err)
		}
	}
	return append(b, '}'), nil
}

func appendNode(b []byte, n dbtype.Node) (_ []byte, err error) {
	labels := slices.Sorted(slices.Values(n.Labels))
	b = append(b, `{"labels":[`...)
	for i, label := range labels {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, label); err != nil {
			return nil, err
		}
	}
	b = append(b, ']')
	if b, err = appendMap(append(b, `,"properties":`...), n.Props); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

func appendRelationship(b []byte, r dbtype.Relationship) (_ []byte, err error) {
	if b, err = appendString(append(b, `{"type":`...), r.Type); err != nil {
		return nil, err
	}
	if b, err = appendMap(append(b, `,"properties":`...), r.Props); err != nil {
		return nil, err
	}
	return append(b, '}'), nil
}

const daySeconds = 24 * 60 * 60

func specialOf(value any) (special, error) {
	switch v := value.(type) {
	case []byte:
		return special{Type: "bytes", Value: base64.StdEncoding.EncodeToString(v)}, nil
	case time.Time:
		return datetimeOf(v), nil
	case dbtype.Date:
		return special{Type: "date", Text: v.String(), Days: v.Time().Unix() / daySeconds}, nil
	case dbtype.LocalDateTime:
		wall := asUTC(v.Time())
		return special{Type: "localdatetime", Text: v.String(), Seconds: wall.Unix(), Nanos: int64(wall.Nanosecond())}, nil
	case dbtype.LocalTime:
		return special{Type: "localtime", Text: v.String(), Seconds: sinceMidnight(v.Time()), Nanos: int64(v.Time().Nanosecond())}, nil
	case dbtype.Time:
		_, offset := v.Time().Zone()
		return special{Type: "time", Text: v.String(), Seconds: sinceMidnight(v.Time()), Nanos: int64(v.Time().Nanosecond()), Offset: offset}, nil
	case dbtype.Duration:
		return special{Type: "duration", Text: v.String(), Months: v.Months, Days: v.Days, Seconds: v.Seconds, Nanos: int64(v.Nanos)}, nil
	case dbtype.Point2D:
		return special{Type: "point", SRID: v.SpatialRefId, At: []float64{v.X, v.Y}}, nil
	case dbtype.Point3D:
		return special{Type: "point", SRID: v.SpatialRefId, At: []float64{v.X, v.Y, v.Z}}, nil
	case *dbtype.InvalidValue:
		return special{}, fmt.Errorf("the server sent a value that cannot be read: %s", v)
	}
	return special{}, fmt.Errorf("a value of type %T cannot be written", value)
}

func datetimeOf(t time.Time) special {
	s := special{Type: "datetime", Text: t.Format(time.RFC3339Nano), Seconds: t.Unix(), Nanos: int64(t.Nanosecond())}
	if name, offset := t.Zone(); name == "Offset" { // how the driver marks a time without a named zone
		s.Offset = offset
	} else {
		s.Zone = t.Location().String()
	}
	return s
}

// asUTC keeps the hands of the clock.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

func sinceMidnight(t time.Time) int64 {
	return int64(t.Hour()*3600 + t.Minute()*60 + t.Second())
}

// valueOf reads what appendValue wrote, as the driver takes it.
func valueOf(v gjson.Result) (any, error) {
	switch {
	case v.Type == gjson.Number && strings.ContainsAny(v.Raw, ".e"):
		return strconv.ParseFloat(v.Raw, 64)
	case v.Type == gjson.Number:
		return strconv.ParseInt(v.Raw, 10, 64)
	case v.IsArray():
		return listOf(v)
	case v.IsObject():
		var s special
		if err := json.Unmarshal([]byte(v.Raw), &s); err != nil {
			return nil, err
		}
		return s.value()
	}
	return v.Value(), nil // null, a string, true or false
}

func listOf(array gjson.Result) (_ []any, err error) {
	list := []any{}
	array.ForEach(func(_, one gjson.Result) bool {
		var value any
		value, err = valueOf(one)
		list = append(list, value)
		return err == nil
	})
	return list, err
}

func (s special) value() (any, error) {
	switch s.Type {
	case "float":
		return strconv.ParseFloat(s.Value, 64)
	case "bytes":
		return base64.StdEncoding.DecodeString(s.Value)
	case "datetime":
		return s.datetime()
	case "date":
		return dbtype.Date(time.Unix(s.Days*daySeconds, 0).UTC()), nil
	case "localdatetime":
		return dbtype.LocalDateTime(time.Unix(s.Seconds, s.Nanos).UTC()), nil
	case "localtime":
		return dbtype.LocalTime(time.Date(0, 0, 0, 0, 0, int(s.Seconds), int(s.Nanos), time.UTC)), nil
	case "time":
		return dbtype.Time(time.Date(0, 0, 0, 0, 0, int(s.Seconds), int(s.Nanos), time.FixedZone("Offset", s.Offset))), nil
	case "duration":
		return dbtype.Duration{Months: s.Months, Days: s.Days, Seconds: s.Seconds, Nanos: int(s.Nanos)}, nil
	case "point":
		return s.point()
	}
	return nil, fmt.Errorf("a copy does not hold values of type %q", s.Type)
}

func (s special) datetime() (any, error) {
	if s.Zone == "" {
		return time.Unix(s.Seconds, s.Nanos).In(time.FixedZone("Offset", s.Offset)), nil
	}
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, err
	}
	return time.Unix(s.Seconds, s.Nanos).In(zone), nil
}

func (s special) point() (any, error) {
	switch len(s.At) {
	case 2:
		return dbtype.Point2D{X: s.At[0], Y: s.At[1], SpatialRefId: s.SRID}, nil
	case 3:
		return dbtype.Point3D{X: s.At[0], Y: s.At[1], Z: s.At[2], SpatialRefId: s.SRID}, nil
	}
	return nil, fmt.Errorf("a point has %d coordinates", len(s.At))
}
