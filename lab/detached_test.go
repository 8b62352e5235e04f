package lab_test

import (
	"strings"
	"testing"

	"upkeep/lab"
)

func TestDetachedLabIsFoundAgainAndEnded(t *testing.T) {
	lab.Need(t, "postgres", "redis")
	dir := shortDir(t)
	up, err := lab.Up(t.Context(), dir, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // should anything below fail
		for _, s := range up {
			if err := s.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
	if _, err := lab.Up(t.Context(), dir, lab.Options{}); err == nil || !strings.Contains(err.Error(), "lab down") {
		t.Errorf("a second lab in one place: %v", err)
	}
	found, err := lab.Open(dir)
	if err != nil || len(found) != 2 {
		t.Fatalf("%d servers, %v; want 2", len(found), err)
	}
	for i, s := range found {
		if s.PID() != up[i].PID() || s.PID() == 0 || s.DSN("0") != up[i].DSN("0") {
			t.Errorf("%s: process %d, was %d", s.Component, s.PID(), up[i].PID())
		}
	}
	if err := lab.Down(dir); err != nil {
		t.Fatal(err)
	}
	for _, s := range up {
		until(t, s.Component+" has ended", func() bool { return s.PID() == 0 })
	}
	if _, err := lab.Open(dir); err == nil {
		t.Error("the lab is still known after Down")
	}
}
