package lab_test

import (
	"testing"

	"github.com/neo4j/neo4j-go-driver/v5/neo4j"

	"upkeep/lab"
)

func TestNeo4jKeepsItsDataOverARestart(t *testing.T) {
	s := lab.Neo4j(t, lab.Options{})
	ask := func(cypher string) int64 {
		t.Helper()
		driver, err := neo4j.NewDriverWithContext("bolt://"+s.Addr(), neo4j.BasicAuth(s.User, s.Password, ""))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = driver.Close(t.Context()) }()
		got, err := neo4j.ExecuteQuery(t.Context(), driver, cypher, nil, neo4j.EagerResultTransformer)
		if err != nil {
			t.Fatal(err)
		}
		return got.Records[0].Values[0].(int64)
	}
	ask("CREATE (n:Kept) RETURN count(n)")
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := ask("MATCH (n:Kept) RETURN count(n)"); n != 1 {
		t.Errorf("%d nodes after a restart, want 1", n)
	}
}
