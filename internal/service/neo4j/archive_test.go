package neo4j

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"upkeep/internal/service"
)

// neo4j-4.4.dump is what neo4j-admin dump of Community 4.4.40 made of five nodes with
// a constraint; neo4j-4.4-gzip.dump is what that of 5.26.28 made of the same store where
// it could not load its library for Zstandard.
func TestADumpOfNeo4j4IsKnown(t *testing.T) {
	for _, file := range []string{"neo4j-4.4.dump", "neo4j-4.4-gzip.dump"} {
		t.Run(file, func(t *testing.T) { isKnown(t, "testdata/"+file) })
	}
}

func isKnown(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	must(t, err)
	a, err := readArchive(bytes.NewReader(content))
	if err != nil || a != (archive{files: 37, bytes: 977927, store: "AF4.3.0"}) || !a.legacy() {
		t.Errorf("%+v, %v", a, err)
	}
	for name, damaged := range map[string][]byte{
		"nothing": nil, "cut off in the head": content[:20], "cut off": content[:len(content)-100], "no dump": []byte("PGDMP and more"),
		"flipped": append(bytes.Clone(content[:3000]), append([]byte{content[3000] ^ 1}, content[3001:]...)...),
	} {
		if a, err := readArchive(bytes.NewReader(damaged)); !errors.Is(err, service.ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}
