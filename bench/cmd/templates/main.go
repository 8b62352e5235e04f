// Command templates groups the lines of one file with upkeep's engine, for the
// benchmark beside other programs: it prints what it found as JSON and, on request,
// the group of every line.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"upkeep/internal/logs/record"
	"upkeep/internal/logs/template"
)

func main() { os.Exit(run()) }

func run() int {
	groups := flag.String("groups", "", "write the group of every line to this `file`")
	heads := flag.Bool("heads", false, "lines carry time, level and logger: take them off first")
	list := flag.Bool("list", false, "print the templates with their counts")
	flag.Parse()
	if err := group(flag.Arg(0), *groups, *heads, *list); err != nil {
		fmt.Fprintln(os.Stderr, "templates:", err)
		return 1
	}
	return 0
}

func group(file, groups string, heads, list bool) error {
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open the lines: %w", err)
	}
	defer in.Close()
	s := &session{miner: template.New(template.Options{Track: groups != ""}), keep: groups != ""}
	read := s.lines
	if heads {
		read = s.records
	}
	if err := read(in); err != nil {
		return err
	}
	report := s.miner.Report()
	if groups != "" {
		if err := s.write(groups, report); err != nil {
			return err
		}
	}
	return show(s.n, report, list)
}

// session is one reading of a file.
type session struct {
	miner *template.Miner
	keep  bool // the ID of every line
	ids   []template.ID
	n     int
}

func (s *session) add(message []byte, at time.Time) {
	id := s.miner.Add(message, at)
	s.n++
	if s.keep {
		s.ids = append(s.ids, id)
	}
}

// lines takes every line as a message.
func (s *session) lines(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<18), record.MaxLine)
	for lines.Scan() {
		s.add(lines.Bytes(), time.Time{})
	}
	return lines.Err()
}

// records takes the messages that lines carry; a record of several lines is one.
func (s *session) records(in io.Reader) error {
	for r := record.NewReader(in, record.Options{}); ; {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.add(rec.Message, rec.Time)
	}
}

func (s *session) write(file string, report template.Report) error {
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write the groups: %w", err)
	}
	buffered := bufio.NewWriter(out)
	for _, id := range s.ids {
		fmt.Fprintln(buffered, report.Group(id))
	}
	return errors.Join(buffered.Flush(), out.Close())
}

func show(n int, report template.Report, list bool) error {
	if list {
		for _, t := range report.Templates {
			fmt.Printf("%8d  %s\n", t.Count, t.Pattern)
		}
		return nil
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"lines": n, "templates": len(report.Templates), "other": report.Other, "forgotten": report.GaveUp})
}
