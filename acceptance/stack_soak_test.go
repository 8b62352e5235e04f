package acceptance

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/neo4j/neo4j-go-driver/v5/neo4j"
	"github.com/tidwall/gjson"

	"upkeep/internal/service"
	"upkeep/lab"
)

// stack is the example system with rows, objects and nodes of which each can be taken
// away alone.
type stack struct {
	*system
	cot     *lab.CotStudio
	planter *planter
}

// spare is how many things of each sort a stack has for being taken away.
const spare = 60

func newStack(t *testing.T) *stack {
	t.Helper()
	c := lab.NewCotStudio(t)
	if _, err := c.Seed(t.Context(), 500); err != nil {
		t.Fatal(err)
	}
	s := &stack{cot: c, system: &system{t: t, dir: c.Dir}}
	var err error
	if s.db, err = c.Part("postgres"); err == nil {
		s.cache, err = c.Part("redis")
	}
	if err != nil {
		t.Fatal(err)
	}
	for n := range spare {
		s.putRow(n)
		s.sql(fmt.Sprintf("insert into kg_entities (id, name, entity_type, neo4j_node_id) values ('soak-%[1]d', 'soak %[1]d', 'SOAK', 'soak-%[1]d')", n))
		s.putObject(s.key(n))
		s.putNode(node(n))
	}
	return s
}

func (s *stack) putRow(n int) {
	s.sql(fmt.Sprintf(`insert into files (id, project_id, filename, original_filename, file_path, file_hash, size, mime_type, ocr_status)
		select 'soak-%[1]d', id, 'soak', 'soak', 'projects/' || id || '/files/%[2]s', '%[2]s', %[3]d, 'text/plain', 'PENDING' from projects order by name limit 1`,
		n, digestOf(n), len(digestOf(n))))
}

func node(n int) string { return fmt.Sprintf("soak-%d", n) }

// digestOf stands for the digest of an object: 64 hexadecimal digits.
func digestOf(n int) string { return fmt.Sprintf("%064x", n+1) }

func (s *stack) key(n int) string {
	return s.ask(fmt.Sprintf("select file_path from files where id = 'soak-%d'", n))
}

func (s *stack) ask(statement string) (text string) {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.db.DSN("cotdb"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(s.t.Context(), statement).Scan(&text); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
	return text
}

func (s *stack) bucket() *minio.Client {
	s.t.Helper()
	part, err := s.cot.Part("minio")
	if err != nil {
		s.t.Fatal(err)
	}
	client, err := minio.New(part.Addr(), &minio.Options{Creds: credentials.NewStaticV4(part.User, part.Password, "")})
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

func (s *stack) putObject(key string) {
	s.t.Helper()
	content := []byte(key[strings.LastIndex(key, "/")+1:])
	if _, err := s.bucket().PutObject(s.t.Context(), "cot-studio", key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) putNode(id string) {
	s.cypher("CREATE (:Entity {id: $id, name: 'soak ' + $id, type: 'SOAK', created_at: datetime('2026-01-01T00:00:00Z')})", id)
}

func (s *stack) cypher(statement, id string) {
	s.t.Helper()
	part, err := s.cot.Part("neo4j")
	if err != nil {
		s.t.Fatal(err)
	}
	driver, err := neo4j.NewDriverWithContext("bolt://"+part.Addr(), neo4j.BasicAuth(part.User, part.Password, ""))
	if err != nil {
		s.t.Fatal(err)
	}
	defer driver.Close(context.Background())
	if _, err := neo4j.ExecuteQuery(s.t.Context(), driver, statement, map[string]any{"id": id}, neo4j.EagerResultTransformer); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// loss is one sort of thing of which one goes.
type loss struct {
	name       string
	target     string // that holds it
	other      string // that knows of it
	judged, id string // the target and the finding that must name it
	take       func(s *stack, n int) (key string)
	putBack    func(s *stack, n int)
}

func losses() []loss {
	return []loss{
		{"object", "objects", "db", "db", "reconcile.missing", (*stack).takeObject, func(s *stack, n int) { s.putObject(s.key(n)) }},
		{"row", "db", "objects", "objects", "reconcile.unclaimed", (*stack).takeRow, (*stack).putRow},
		{"node", "graph", "db", "db", "reconcile.missing", (*stack).takeNode, func(s *stack, n int) { s.putNode(node(n)) }},
	}
}

func (s *stack) takeObject(n int) string {
	key := s.key(n)
	if err := s.bucket().RemoveObject(s.t.Context(), "cot-studio", key, minio.RemoveObjectOptions{}); err != nil {
		s.t.Fatal(err)
	}
	return key
}

func (s *stack) takeRow(n int) string {
	key := s.key(n)
	s.sql(fmt.Sprintf("delete from files where id = 'soak-%d'", n))
	return key
}

func (s *stack) takeNode(n int) string {
	s.cypher("MATCH (e:Entity {id: $id}) DETACH DELETE e", node(n))
	return node(n)
}

// losing is how often one thing of each sort goes: thirty times in all when soaking.
func losing() int {
	if soaking() {
		return 10
	}
	return 1
}

// TestSoakStack starts the system once for both.
func TestSoakStack(t *testing.T) {
	s := newStack(t)
	s.planter = newPlanter(t, s.system)
	for _, part := range []struct {
		name string
		run  func()
	}{{"untouched", s.untouched}, {"deletions", s.singleDeletions}, {"unrestorable", s.unrestorable}} {
		t.Run(part.name, func(t *testing.T) {
			s.t = t
			part.run()
		})
	}
}

// singleDeletions takes one row, object or node away, drawn by chance, in the
// source before the copy or only in the copy, and wants the drill to name exactly that
// one: the key that the stores no longer agree on, and beside it nothing but what the
// copy lacks.
func (s *stack) singleDeletions() {
	t, p := s.t, s.planter
	named, all := 0, 0
	for i, l := range losses() {
		for try := range losing() {
			n, inCopy := p.random.IntN(spare), (i+try)%2 == 1
			var key, point string
			if inCopy {
				view := p.changed(l.target, func() { key = l.take(s, n) })
				point = p.point(map[string]service.Snapshot{l.target: view, l.other: p.view(l.other)})
			} else {
				key = l.take(s, n)
				point = s.must("backup", l.target, l.other).Get("point.id").String()
			}
			out, code := s.run("drill", point)
			l.putBack(s, n)
			all++
			if wrong := l.misnamed(out, key, inCopy); wrong != "" || code != 1 && l.id == "reconcile.missing" {
				t.Errorf("%s, try %d, in the copy alone: %v: exit %d, %s\n%s", l.name, try, inCopy, code, wrong, out.Raw)
				continue
			}
			named++
		}
	}
	t.Logf("single deletions: %d of %d named exactly", named, all)
}

// misnamed says what a drill found that it must not, or not what it must.
func (l loss) misnamed(out gjson.Result, key string, inCopy bool) string {
	exact, lacking := false, false
	for _, target := range out.Get("targets").Array() {
		if id := target.Get("error.id").String(); id != "" {
			return "error " + id
		}
		for _, f := range target.Get("findings").Array() {
			name, id := target.Get("target").String(), f.Get("id").String()
			switch {
			case name == l.judged && id == l.id && f.Get("evidence.keys.#").Int() == 1 && f.Get("evidence.keys.0").String() == key:
				exact = true
			case inCopy && name == l.target && !strings.HasPrefix(id, "reconcile."):
				lacking = true
			default:
				return fmt.Sprintf("%s of %s is about something else", id, name)
			}
		}
	}
	switch {
	case !exact:
		return key + " is not named"
	case lacking != inCopy:
		return "nobody says that the copy lacks something"
	}
	return ""
}

// untouched drills the whole system as it is, again and again.
func (s *stack) untouched() {
	t := s.t
	clean := 0
	for range tries() {
		point := s.must("backup").Get("point.id").String()
		out, code := s.run("drill", point)
		if code != 0 || out.Get("verdict").String() != "ok" || out.Get("point.proven").String() == "" {
			t.Errorf("the drill exited with %d\n%s", code, out.Raw)
			continue
		}
		clean++
	}
	t.Logf("drills of the untouched stack: %d of %d raised nothing", clean, tries())
}

// unrestorable: what does not come back is named alone; other stores are not said to
// lack what they claim of it.
func (s *stack) unrestorable() {
	s.must("backup", "db") // makes the repository
	p := s.planter
	out, code := s.run("drill", p.point(map[string]service.Snapshot{"graph": p.cut("graph"), "db": p.view("db")}))
	found := out.Get("targets.#.findings.#.id|@flatten|@ugly").Raw
	if code != 1 || found != `["drill.not-restorable"]` {
		s.t.Errorf("exit %d, found %s\n%s", code, found, out.Raw)
	}
}
