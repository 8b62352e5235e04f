package corpus_test

import (
	"bytes"
	"strings"
	"testing"

	"upkeep/bench/corpus"
)

func TestMessagesCarryTheirGroupsAndAreTheSameForTheSameSeed(t *testing.T) {
	systems, err := corpus.LogSystems()
	if err != nil || len(systems) < 24 {
		t.Fatalf("%d systems, %v; want 24 or more", len(systems), err)
	}
	var lines, groups, again, more bytes.Buffer
	if err := corpus.WriteMessages(&lines, &groups, systems, 7, 150_000); err != nil {
		t.Fatal(err)
	}
	if err := corpus.WriteMessages(&again, &more, systems, 7, 150_000); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(lines.Bytes(), again.Bytes()) || !bytes.Equal(groups.Bytes(), more.Bytes()) {
		t.Error("the same seed gave other lines")
	}
	if n := strings.Count(lines.String(), "\n"); n != 150_000 || n != strings.Count(groups.String(), "\n") {
		t.Errorf("%d lines; want 150,000 with a group each", n)
	}
}

func TestNoSlotIsLeftUnfilled(t *testing.T) {
	systems, err := corpus.LogSystems()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range systems {
		for form, line := range s.Messages(1, 2000) {
			for _, name := range []string{"{int", "{word", "{ip", "{user", "{path", "{?", "{module", "{float"} {
				if bytes.Contains(line, []byte(name)) {
					t.Fatalf("%s, form %d: %s", s.Name, form, line)
				}
			}
		}
	}
}
