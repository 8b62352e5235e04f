package measure_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"upkeep/bench/measure"
)

func TestWatchAddsUpProgramsAndNoticesTheirEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	self := measure.Group{Name: "self twice", PIDs: []int{os.Getpid(), os.Getpid()}}
	once := measure.Group{Name: "self", PIDs: []int{os.Getpid()}}
	watched, err := measure.Watch(ctx, 50*time.Millisecond, self, once)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := watched[0].Median(), watched[1].Median(); b == 0 || a < b*3/2 {
		t.Errorf("twice %d bytes, once %d", a, b)
	}
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	gone := measure.Group{Name: "gone", PIDs: []int{ended.Process.Pid}}
	if _, err := measure.Watch(t.Context(), time.Second, gone); err == nil {
		t.Error("a program that has ended was watched")
	}
}

func TestGrowthIsBetweenTheFirstAndTheLastTenth(t *testing.T) {
	var w measure.Watched
	for i := range 110 {
		w.Resident = append(w.Resident, int64(1000+i))
	}
	if got := w.Growth(10); got != 90 {
		t.Errorf("grew by %d, want 90", got)
	}
}
