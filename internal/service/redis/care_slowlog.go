package redis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep/internal/service"
)

// slowEntry is one entry of the slow log. Of its arguments only the command is
// kept: the rest is somebody's data.
type slowEntry struct {
	id      int64
	took    time.Duration
	command string
}

// slowLog reads the newest entries, the newest first. IDs rise by one and begin
// anew with the server.
func (c *conn) slowLog() ([]slowEntry, error) {
	const newest = "128" // what a server keeps by default
	got, err := c.do("SLOWLOG", "GET", newest)
	if err != nil {
		return nil, fmt.Errorf("read the slow log of %s: %w", c.address, err)
	}
	list, isList := got.([]any)
	if !isList {
		return nil, fmt.Errorf("read the slow log of %s: %w", c.address, errProtocol)
	}
	var all []slowEntry
	for _, item := range list {
		e, ok := readSlowEntry(item)
		if !ok {
			return nil, fmt.Errorf("read the slow log of %s: %w", c.address, errProtocol)
		}
		all = append(all, e)
	}
	return all, nil
}

func readSlowEntry(item any) (e slowEntry, ok bool) {
	fields, _ := item.([]any)
	if len(fields) < 4 {
		return e, false
	}
	id, isID := fields[0].(int64)
	took, isTime := fields[2].(int64)
	words, isList := fields[3].([]any)
	if len(words) > 0 {
		e.command, _ = words[0].(string)
	}
	e.id, e.took = id, time.Duration(took)*time.Microsecond
	return e, isID && isTime && isList
}

// unknownSlow is remembered where the log was not read.
const unknownSlow = -1

// slow reports what the slow log got since the last check. next is the ID that the
// following entry will have.
func (in *Instance) slow(c *conn, v *service.Verdict, since *counters) (next int64, err error) {
	if in.cfg.SlowCommands == 0 {
		return unknownSlow, nil
	}
	all, err := c.slowLog()
	if isRefused(err) {
		in.refused(v, "SLOWLOG")
		return unknownSlow, nil
	}
	if err != nil {
		return 0, err
	}
	if len(all) > 0 {
		next = all[0].id + 1
	}
	if since == nil || since.Looked == nil || since.Slow == unknownSlow {
		return next, nil
	}
	count := next - since.Slow
	v.Set("slow_commands", max(count, 0))
	if count < int64(in.cfg.SlowCommands) {
		return max(next, since.Slow), nil // a log that was emptied keeps counting
	}
	slowest, commands := summary(all, since.Slow)
	v.Warn("slow-commands", "", service.Args{"count": count, "window": in.env.Now().Sub(since.At).Seconds(),
		"slowest": slowest.Seconds(), "commands": commands})
	return next, nil
}

// summary is about the entries from one ID on, as far as they are still kept.
func summary(all []slowEntry, from int64) (slowest time.Duration, commands []string) {
	for _, e := range all {
		if e.id < from {
			break
		}
		slowest = max(slowest, e.took)
		if name := strings.ToUpper(e.command); !slices.Contains(commands, name) && len(commands) < shownNames {
			commands = append(commands, name)
		}
	}
	return slowest, commands
}
