package neo4j

import (
	"archive/tar"
	"context"
	"io"
	"strings"
	"testing"

	driver "github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/internal/service"
)

// TestTheScriptMakesTheGraph runs load.cypher as cypher-shell would, statement by
// statement, in an empty database, and compares. Byte arrays are left out.
func TestTheScriptMakesTheGraph(t *testing.T) {
	s := sharedServer(t)
	seedGraph(t, s)
	cypher(t, s, "MATCH (n:Everything) REMOVE n.bytes, n.`no bytes`", nil)
	in := declare(t, s)
	c := backup(t, in, nil)
	files := map[string]string{}
	must(t, in.Extract(t.Context(), c, service.Selection{}, func(h *tar.Header, content io.Reader) error {
		text, err := io.ReadAll(content)
		files[h.Name] = string(text)
		return err
	}))
	if !strings.Contains(files["README.md"], "507 nodes") || files["schema.jsonl"] == "" || files["nodes-late.jsonl"] != "" {
		t.Errorf("README %s", files["README.md"])
	}
	empty(t, s)
	run(t, s.Addr(), s.Password, files["load.cypher"])
	v, err := in.Verify(t.Context(), c, service.Report{})
	must(t, err)
	for _, f := range v.Findings {
		t.Errorf("after load.cypher: %s %s %v", f.ID, f.Subject, f.Args)
	}
}

func run(t *testing.T, address, password, script string) {
	t.Helper()
	d, err := driver.NewDriverWithContext("bolt://"+address, driver.BasicAuth("neo4j", password, ""))
	must(t, err)
	defer func() { _ = d.Close(context.Background()) }()
	for statement := range strings.SplitSeq(strings.TrimSpace(script), ";\n") {
		session := d.NewSession(t.Context(), driver.SessionConfig{})
		result, err := session.Run(t.Context(), strings.TrimSuffix(statement, ";"), nil)
		if err == nil {
			_, err = result.Consume(t.Context())
		}
		if err != nil {
			t.Fatalf("%.300s: %v", statement, err)
		}
		must(t, session.Close(t.Context()))
	}
}

func TestByteArraysAreNamedWhereTheScriptLacksThem(t *testing.T) {
	s := sharedServer(t)
	cypher(t, s, "CREATE (n:Blob) SET n.data = $data", map[string]any{"data": []byte{1, 2}})
	in := declare(t, s)
	about := ""
	must(t, in.Extract(t.Context(), backup(t, in, nil), service.Selection{}, func(h *tar.Header, content io.Reader) error {
		text, err := io.ReadAll(content)
		if h.Name == "README.md" {
			about = string(text)
		}
		return err
	}))
	if !strings.Contains(about, "1 properties are byte arrays") {
		t.Errorf("README %s", about)
	}
}
