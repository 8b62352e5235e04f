// Command turns measures how punctual upkeep serve is when many jobs are due: N jobs of
// the cheapest verb on the same minute, each once. It starts the program that it is
// given, waits until all have ended, and prints how late their runs began, and how many
// were lost or run twice.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"upkeep/internal/database"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "turns:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	program := flag.String("upkeep", "bin/upkeep", "the program")
	jobs := flag.Int("jobs", 1000, "that are due at once")
	minutes := flag.Int("minutes", 1, "over which they are due, once in each")
	flag.Parse()
	dir, err := os.MkdirTemp("", "turns")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	first := time.Now().Truncate(time.Minute).Add(2 * time.Minute)
	if err := os.WriteFile(filepath.Join(dir, "upkeep.yaml"), []byte(declaration(*jobs, *minutes, first)), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, *program, "serve", "--file", filepath.Join(dir, "upkeep.yaml"))
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Getenv("TURNS_LOG") == "" {
		cmd.Stderr = nil
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = watch(ctx, filepath.Join(dir, "state", "journal.db"), *jobs**minutes, first.Add(time.Duration(*minutes)*time.Minute))
	if stop := cmd.Process.Signal(syscall.SIGTERM); err == nil {
		err = stop
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Printf("CPU %.1f s, at most %d MB resident\n", cmd.ProcessState.UserTime().Seconds()+cmd.ProcessState.SystemTime().Seconds(), used.Maxrss>>10)
	}
	return err
}

func declaration(jobs, minutes int, first time.Time) string {
	var b strings.Builder
	b.WriteString("system: turns\nstate: state\ntimezone: UTC\nlisten: 127.0.0.1:19599\nservices:\n  here: {kind: files, paths: [upkeep.yaml]}\njobs:\n")
	at := fmt.Sprintf("%d %d %d %d *", first.UTC().Minute(), first.UTC().Hour(), first.UTC().Day(), first.UTC().Month())
	if minutes > 1 {
		at = "* * * * *"
	}
	for i := range jobs {
		fmt.Fprintf(&b, "  job%d: {at: %q, do: [check], missed: all}\n", i, at)
	}
	return b.String()
}

// watch waits until all turns have ended and tells how they began.
func watch(ctx context.Context, journal string, want int, last time.Time) error {
	for time.Sleep(time.Until(last.Add(-30 * time.Second))); ; time.Sleep(2 * time.Second) {
		ended, err := count(ctx, journal)
		if err != nil {
			return err
		}
		if ended >= want || time.Since(last) > 10*time.Minute {
			return tell(ctx, journal, want)
		}
	}
}

func open(ctx context.Context, journal string) (*sql.DB, error) {
	return database.Open(ctx, journal, nil)
}

func count(ctx context.Context, journal string) (n int, err error) {
	db, err := open(ctx, journal)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM turns WHERE state = 'ended'").Scan(&n)
	return n, err
}

func tell(ctx context.Context, journal string, want int) (err error) {
	db, err := open(ctx, journal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT body FROM runs WHERE verb = 'run'")
	if err != nil {
		return err
	}
	defer rows.Close()
	var late []time.Duration
	seen, doubled := map[string]bool{}, 0
	for rows.Next() {
		var body string
		var r struct {
			Started time.Time
			Args    struct {
				Job  string
				Turn time.Time
			}
		}
		if err := rows.Scan(&body); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return err
		}
		key := r.Args.Job + r.Args.Turn.String()
		if seen[key] {
			doubled++
		}
		seen[key] = true
		late = append(late, r.Started.Sub(r.Args.Turn))
	}
	slices.Sort(late)
	if len(late) == 0 {
		return fmt.Errorf("nothing ran")
	}
	fmt.Printf("%d runs, late p50 %s p99 %s max %s, lost %d, doubled %d\n", len(late), late[len(late)/2].Round(time.Millisecond),
		late[len(late)*99/100].Round(time.Millisecond), late[len(late)-1].Round(time.Millisecond), max(want-len(seen), 0), doubled)
	return rows.Err()
}
