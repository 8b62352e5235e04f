package serve

import (
	"bytes"
	"fmt"
	"os"
	"testing"
)

// TestTrimGivesBackAndNothingIsLost trims, goes on running, and trims again: every function comes back
// from the file.
func TestTrimGivesBackAndNothingIsLost(t *testing.T) {
	before := mapped(t)
	if err := trim(); err != nil {
		t.Fatal(err)
	}
	after := mapped(t)
	t.Logf("%d kB of the program mapped, %d kB after", before, after)
	if after >= before {
		t.Errorf("%d kB of the program are mapped, %d kB were before", after, before)
	}
	if err := trim(); err != nil { // every function of this test comes back from the file
		t.Fatal(err)
	}
}

// mapped is how much of files this process has in memory, in kB.
func mapped(t *testing.T) (kb int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssFile:"))
	if _, err := fmt.Sscan(string(rest), &kb); err != nil {
		t.Fatal(err)
	}
	return kb
}
