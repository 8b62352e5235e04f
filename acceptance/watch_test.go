package acceptance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// seen is what a program and all it started did while it was watched.
type seen struct {
	Children []string `json:"children"` // names of the programs it started
	TCP      int      `json:"tcp"`      // sockets on which they listened for the network
	Unix     int      `json:"unix"`     // and for this machine only
	Root     []string `json:"root"`     // those that listened and ran as root
	Left     []string `json:"left"`     // those that were alive when it had ended
	sockets  map[string]bool
	known    map[int]string // by process ID: its name
	roots    map[string]bool
}

// watched CODE PROGRAM ARG…: as exits; what PROGRAM started meanwhile is described
// in watched.json.
func watched(ts *testscript.TestScript, neg bool, args []string) {
	s := &seen{sockets: map[string]bool{}, known: map[int]string{}, roots: map[string]bool{}}
	stop, stopped := make(chan bool), make(chan bool)
	dir := ts.MkAbs(".")
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				s.look(dir)
			}
		}
	}()
	exits(ts, neg, args)
	close(stop)
	<-stopped
	text, err := json.Marshal(s.summary())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("watched.json"), text, 0o644))
}

// look notes every process below one that runs upkeep in dir.
func (s *seen) look(dir string) {
	parents := map[int]int{}
	found, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range found {
		if pid, err := strconv.Atoi(filepath.Base(path)); err == nil {
			parents[pid] = parentOf(pid)
		}
	}
	for pid := range parents {
		if s.known[pid] == "" && below(pid, parents, s.known, dir) {
			s.known[pid] = nameOf(pid)
		}
	}
	for pid := range s.known {
		if name := nameOf(pid); name != "" {
			s.known[pid] = name // a process is called upkeep until it becomes what it was started for
		}
		s.listeners(pid)
	}
}

func below(pid int, parents map[int]int, known map[int]string, dir string) bool {
	for up := parents[pid]; up > 1; up = parents[up] {
		if known[up] != "" || isUpkeep(up, dir) {
			return true
		}
	}
	return false
}

func isUpkeep(pid int, dir string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd == dir && nameOf(pid) == "upkeep"
}

func nameOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// parentOf reads the fourth field of stat; the second may hold anything.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if err != nil || len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// listeners notes the sockets on which a process listens.
func (s *seen) listeners(pid int) {
	own := map[string]bool{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	for _, table := range []struct {
		file, state      string
		stateAt, inodeAt int
	}{{"tcp", "0A", 3, 9}, {"tcp6", "0A", 3, 9}, {"unix", "00010000", 3, 6}} {
		for _, fields := range rowsOf(fmt.Sprintf("/proc/%d/net/%s", pid, table.file)) {
			if len(fields) > table.inodeAt && fields[table.stateAt] == table.state && own[fields[table.inodeAt]] {
				s.sockets[table.file[:3]+" "+fields[table.inodeAt]] = true
				if info, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil && info.Sys().(*syscall.Stat_t).Uid == 0 {
					s.roots[s.known[pid]] = true
				}
			}
		}
	}
}

func rowsOf(file string) (rows [][]string) {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rows = append(rows, strings.Fields(lines.Text()))
	}
	return rows
}

func (s *seen) summary() *seen {
	names := map[string]bool{}
	s.Left = []string{}
	for pid, name := range s.known {
		names[name] = true
		if name != "" && nameOf(pid) == name && stateOf(pid) != "Z" {
			s.Left = append(s.Left, name)
		}
	}
	s.Children = slices.Sorted(maps.Keys(names))
	s.Root = slices.AppendSeq([]string{}, maps.Keys(s.roots))
	for socket := range s.sockets {
		if strings.HasPrefix(socket, "tcp") {
			s.TCP++
		} else {
			s.Unix++
		}
	}
	return s
}

func stateOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
