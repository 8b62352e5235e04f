package measure_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/bench/measure"
)

func TestCostShowsCPUAndMemoryOfTheChild(t *testing.T) {
	dd := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"} // with one buffer of 200 MiB
	cost, _, err := measure.Run(t.Context(), measure.Cmd{Argv: dd})
	if err != nil {
		t.Fatal(err)
	}
	if cost.Peak < 150<<20 || cost.CPU <= 0 || cost.Wall <= 0 {
		t.Errorf("cost %+v; want at least 150 MiB", cost)
	}
	floor, err := measure.Floor(t.Context())
	if err != nil || floor > 100<<20 {
		t.Errorf("floor %d, %v; want less than 100 MiB", floor, err)
	}
}

func TestFailureCarriesWhatTheProgramSaid(t *testing.T) {
	_, _, err := measure.Run(t.Context(), measure.Cmd{Argv: []string{"ls", "/no/such/place"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/place") {
		t.Errorf("error %v", err)
	}
}

func TestMedianIsTakenFieldByField(t *testing.T) {
	got := measure.Median([]measure.Cost{{Wall: 9, CPU: 1, Peak: 5}, {Wall: 1, CPU: 7, Peak: 3}, {Wall: 5, CPU: 4, Peak: 4}})
	if want := (measure.Cost{Wall: 5 * time.Nanosecond, CPU: 4, Peak: 4}); got != want {
		t.Errorf("median %+v; want %+v", got, want)
	}
}

func TestLinesAreToldAsTheyCome(t *testing.T) {
	var told []string
	_, _, err := measure.Run(t.Context(), measure.Cmd{Argv: []string{"/bin/sh", "-c", "printf 'one\\ntw' >&2; printf 'o\\nrest' >&2"},
		Told: func(line string, _ time.Duration) { told = append(told, line) }})
	if err != nil || !slices.Equal(told, []string{"one", "two"}) {
		t.Errorf("told %q, %v", told, err)
	}
}
