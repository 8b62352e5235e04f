package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// letTalk keeps where networks of an engine take their addresses from, and lets those
// addresses reach each other: another engine may have left a firewall that forwards
// nothing by itself. Engines that start at the same time would choose the same ones.
func letTalk(dir, pool string) error {
	if err := os.WriteFile(filepath.Join(dir, "pool"), []byte(pool), 0o600); err != nil {
		return fmt.Errorf("keep the addresses of an engine: %w", err)
	}
	return forwarding("-I", pool)
}

func noTalk(dir string) error {
	pool, err := os.ReadFile(filepath.Join(dir, "pool"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for the addresses of an engine: %w", err)
	}
	return errors.Join(forwarding("-D", string(pool)), os.Remove(filepath.Join(dir, "pool")))
}

func forwarding(how, pool string) error {
	//nolint:noctx // it must be taken back also when the test's context has ended
	out, err := exec.Command("iptables", "-w", how, "FORWARD", "-s", pool, "-d", pool, "-j", "ACCEPT").CombinedOutput()
	if err != nil {
		return fmt.Errorf("let the containers of an engine reach each other: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
