package command_test

import (
	"testing"
	"time"

	"upkeep/internal/command"
)

// A program that has ended by what it was told has ended well, however late it is waited
// for.
func TestWaitForWhatHasEnded(t *testing.T) {
	d, err := command.Detach(t.Context(), script(t, "read first; echo ready; read last"), nil, []byte("begin\n"), "ready")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Tell("end\n"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); d.Tell("more\n") == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not end")
		}
	}
	time.Sleep(50 * time.Millisecond) // its input is closed when it was waited for
	if err := d.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
