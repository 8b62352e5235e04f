package neo4j

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j/dbtype"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
	"upkeep/lab"
)

// seedGraph writes what the maintained system writes, and every type of property,
// under names of every sort.
func seedGraph(t *testing.T, s *lab.Server) {
	t.Helper()
	for _, statement := range []string{
		"CREATE CONSTRAINT entity_id FOR (n:Entity) REQUIRE n.id IS UNIQUE",
		"CREATE INDEX entity_name_idx FOR (n:Entity) ON (n.name, n.type)",
		"CREATE INDEX rel_idx FOR ()-[r:RELATION]-() ON (r.confidence)",
		"CREATE TEXT INDEX `odd ``index` FOR (n:Document) ON (n.title)",
		"CREATE FULLTEXT INDEX words FOR (n:Document|Entity) ON EACH [n.title, n.name]",
		"CREATE POINT INDEX places FOR (n:Everything) ON (n.cartesian)",
		"CREATE VECTOR INDEX vectors FOR (n:Entity) ON (n.embedding) OPTIONS {indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}",
	} {
		cypher(t, s, statement, nil)
	}
	cypher(t, s, `UNWIND range(1, 500) AS i CREATE (:Entity {id: 'e' + i, name: '实体 ' + i, type: 'concept', description: 'same for all',
		confidence: i / 500.0, created_at: toString(datetime('2026-01-02T03:04:05Z') + duration({days: i % 40})), embedding: [i * 0.5, 1.0, 0.25]})`, nil)
	cypher(t, s, `MATCH (a:Entity), (b:Entity) WHERE toInteger(substring(a.id, 1)) + 1 = toInteger(substring(b.id, 1))
		CREATE (a)-[:RELATION {id: a.id + b.id, confidence: 0.5}]->(b)`, nil)
	cypher(t, s, "MATCH (a:Entity {id: 'e3'}) CREATE (a)-[:RELATION]->(a), (a)-[:RELATION]->(a), (a)<-[:`odd ``type \\u005Cu0060`]-(:Document:Draft:`ünï \"côdé\"` {title: 'x'})", nil)
	cypher(t, s, "CREATE (), ({unlabelled: true}), (:Alone {id: 1}), (:Alone {id: 2}), (:Alone {id: 2})", nil)
	cypher(t, s, "MATCH (a:Alone {id: 1}), (b:Alone {id: 2}) CREATE (a)-[:NEXT]->(b)", nil)
	cypher(t, s, "CREATE (n:Everything) SET n = $everything", map[string]any{"everything": everything(t)})
}

func everything(t *testing.T) map[string]any {
	t.Helper()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	must(t, err)
	utc, err := time.LoadLocation("UTC")
	must(t, err)
	far := time.Date(12345, 6, 7, 8, 9, 10, 11, time.UTC)
	offset := time.FixedZone("Offset", -5400)
	return map[string]any{
		"bool": true, "int": int64(math.MinInt64), "float": 1.0, "tiny": 5e-324, "negative zero": math.Copysign(0, -1),
		"nan": math.NaN(), "inf": math.Inf(1), "minus inf": math.Inf(-1), "big": 1e300,
		"string": "line\nfeed \"quotes\" 'and' \\ \\u0041 \x00 <html> 😀", "empty": "", "bytes": []byte{0, 1, 255}, "no bytes": []byte{},
		"list": []any{int64(1), int64(2)}, "floats": []any{1.0, math.NaN()}, "strings": []any{"a", ""}, "none": []any{}, "bools": []any{true, false},
		"date": dbtype.Date(time.Date(-4, 2, 29, 0, 0, 0, 0, time.UTC)), "far": dbtype.Date(far),
		"dates":     []any{dbtype.Date(far), dbtype.Date(time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC))},
		"zoned":     time.Date(2026, 3, 29, 2, 30, 0, 1, shanghai),
		"utc":       time.Date(2026, 3, 29, 2, 30, 0, 0, utc),
		"offset":    time.Date(2026, 3, 29, 2, 30, 0, 999999999, offset),
		"before":    time.Date(1900, 1, 1, 0, 0, 0, 5, offset),
		"local":     dbtype.LocalDateTime(time.Date(1960, 1, 2, 3, 4, 5, 6, time.UTC)),
		"time":      dbtype.Time(time.Date(0, 0, 0, 23, 59, 59, 7, offset)),
		"localtime": dbtype.LocalTime(time.Date(0, 0, 0, 12, 0, 0, 8, time.UTC)),
		"duration":  dbtype.Duration{Months: -14, Days: 3, Seconds: -1, Nanos: 9}, "zero": dbtype.Duration{},
		"cartesian": dbtype.Point2D{X: 1.5, Y: -2, SpatialRefId: 7203}, "wgs": dbtype.Point3D{X: 121.47, Y: 31.23, Z: 4, SpatialRefId: 4979},
		"points":       []any{dbtype.Point2D{X: 0, Y: 0, SpatialRefId: 4326}},
		"odd `key` \\": "x", "键": "值", "$type": "date",
	}
}

// backup stores one copy, and fails when it could not.
func backup(t *testing.T, in *Instance, prev *servicetest.Copy) *servicetest.Copy {
	t.Helper()
	var before service.Copy
	if prev != nil {
		before = prev
	}
	snap, err := in.Snapshot(t.Context(), func(context.Context) (service.Copy, error) { return before, nil }, service.Report{})
	must(t, err)
	defer func() { must(t, snap.Close()) }()
	c, err := servicetest.StoreAfter(t.Context(), snap, before)
	must(t, err)
	return c
}
