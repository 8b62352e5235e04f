package notify_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep/internal/notify"
)

func TestASignOfLifeIsThatOfALivingProcess(t *testing.T) {
	heart := notify.Heart{Path: filepath.Join(t.TempDir(), "serve.alive")}
	if last, err := heart.Last(); last != nil || err != nil {
		t.Errorf("before the first: %v, %v", last, err)
	}
	up, err := notify.ReadUptime()
	must(t, err)
	beat := notify.Beat{PID: os.Getpid(), Started: noon, At: noon, Up: up, Version: "1"}
	must(t, heart.Beat(beat))
	last, err := heart.Last()
	if err != nil || last == nil || last.Up != up || last.PID != beat.PID || !last.At.Equal(noon) {
		t.Fatalf("%+v, %v", last, err)
	}
	for after, alive := range map[time.Duration]bool{0: true, 2 * time.Minute: true, 4 * time.Minute: false} {
		if last.Alive(notify.Uptime{Boot: up.Boot, Awake: up.Awake + after}) != alive {
			t.Errorf("%s later it lives: %v", after, !alive)
		}
	}
	if last.Alive(notify.Uptime{Boot: "another", Awake: up.Awake}) {
		t.Error("it lives after another boot")
	}
	last.PID = 1 << 30
	if last.Alive(up) {
		t.Error("a process that is gone lives")
	}
	must(t, heart.Stop())
	must(t, heart.Stop())
	if last, err := heart.Last(); last != nil || err != nil {
		t.Errorf("after a stop: %v, %v", last, err)
	}
}

// supervisor is systemd's end of the socket.
func supervisor(t *testing.T) *net.UnixConn {
	path := filepath.Join(t.TempDir(), "s")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return socket
}

func heardBy(t *testing.T, socket *net.UnixConn, within time.Duration) string {
	t.Helper()
	must(t, socket.SetReadDeadline(time.Now().Add(within)))
	text := make([]byte, 200)
	n, err := socket.Read(text)
	if err != nil {
		return ""
	}
	return string(text[:n])
}

func TestSystemdIsTold(t *testing.T) {
	socket := supervisor(t)
	must(t, notify.Ready())
	must(t, notify.Reloading())
	must(t, notify.Stopping())
	for _, want := range []string{"READY=1", "RELOADING=1\nMONOTONIC_USEC=", "STOPPING=1"} {
		if got := heardBy(t, socket, 10*time.Second); !strings.HasPrefix(got, want) {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func TestTheWatchdogBeatsAsLongAsTheWorkGoesRound(t *testing.T) {
	socket := supervisor(t)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, stop := context.WithCancel(t.Context())
	asked, beats := make(chan bool), make(chan error)
	go func() { beats <- notify.Watchdog(ctx, func() bool { return <-asked }) }()
	asked <- false
	asked <- true
	asked <- true
	for range 2 {
		if got := heardBy(t, socket, 10*time.Second); got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	}
	if got := heardBy(t, socket, time.Millisecond); got != "" {
		t.Errorf("heard %q although the work stood still", got)
	}
	stop()
	select {
	case asked <- false:
	case err := <-beats:
		must(t, err)
		return
	}
	must(t, <-beats)
}

func TestWithoutSystemdNothingIsTold(t *testing.T) {
	must(t, notify.Ready())
	must(t, notify.Watchdog(t.Context(), func() bool { t.Error("asked"); return true }))
}
