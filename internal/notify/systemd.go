package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Ready, Stopping and Reloading tell systemd where serve stands; without systemd they do
// nothing.
func Ready() error { return tell(daemon.SdNotifyReady) }

// Stopping is told before the parts are stopped.
func Stopping() error { return tell(daemon.SdNotifyStopping) }

// Reloading is told before a new configuration is read; Ready ends it. systemd wants the
// time, so that it can tell this reload from an earlier one.
func Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the clock: %w", err)
	}
	return tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
}

func tell(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}

// Watchdog beats as long as alive says that the work goes round, until ctx ends: systemd
// starts a process anew that hangs. Where systemd watches nothing it ends at once.
func Watchdog(ctx context.Context, alive func() bool) error {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("ask how often systemd wants a sign: %w", err)
	}
	if within == 0 {
		return nil
	}
	tick := time.NewTicker(within / 3)
	defer tick.Stop()
	for {
		if alive() {
			if err := tell(daemon.SdNotifyWatchdog); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
