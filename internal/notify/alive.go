package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Heart is the file that says that serve lives, for whoever looks from outside: it is
// written every minute, and removed by a stop in good order.
type Heart struct{ Path string }

// Beat is what the file says.
type Beat struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	Up      Uptime    `json:"up"`
	Version string    `json:"version"`
}

// Uptime is how long a machine has been awake since a boot: nobody sets it, and while the machine
// sleeps it stands still.
type Uptime struct {
	Boot  string        `json:"boot"` // Linux' boot_id
	Awake time.Duration `json:"awake_ns"`
}

// ReadUptime reads the uptime of this machine.
func ReadUptime() (Uptime, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Uptime{}, fmt.Errorf("read the uptime: %w", err)
	}
	var awake unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &awake); err != nil {
		return Uptime{}, fmt.Errorf("read the uptime: %w", err)
	}
	return Uptime{string(bytes.TrimSpace(boot)), time.Duration(awake.Nano())}, nil
}

// BeatEvery is how often the file is written; one that is older than BeatLimit is that of a
// process that hangs or was killed.
const (
	BeatEvery = time.Minute
	BeatLimit = 3 * time.Minute
)

// Beat writes the file.
func (h Heart) Beat(b Beat) error {
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode a sign of life: %w", err)
	}
	return replace(h.Path, append(text, '\n'))
}

// Stop says that the process ended because it was told to.
func (h Heart) Stop() error {
	if err := os.Remove(h.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the sign of life: %w", err)
	}
	return nil
}

// Last is the last sign of life; nil where there is none.
func (h Heart) Last() (*Beat, error) {
	text, err := os.ReadFile(h.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var b Beat
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return nil, fmt.Errorf("read the sign of life of serve: %w", err)
	}
	return &b, nil
}

// Alive reports whether the process still beats, whatever the clock on the wall shows. One that was
// killed a moment ago is told by its process, which is gone.
func (b Beat) Alive(now Uptime) bool {
	return now.Boot == b.Up.Boot && now.Awake-b.Up.Awake <= BeatLimit && runs(b.PID)
}

// runs reports whether there is such a process that has not ended: one whose parent has not
// noticed yet is still listed.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The name in brackets may hold anything; the state follows the last bracket.
	state := bytes.TrimSpace(text[bytes.LastIndexByte(text, ')')+1:])
	return len(state) > 0 && state[0] != 'Z' && state[0] != 'X'
}
