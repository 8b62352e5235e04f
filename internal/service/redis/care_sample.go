package redis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A sample is bounded by keys, by questions and by time: a check has seconds, and a
// table that was emptied takes many questions for few keys. SCAN follows the hash
// of the names, so its first keys are as good as drawn by chance; but a rare large
// key among millions is most likely not among them.
const (
	sampledKeys   = 5000
	sampledRounds = 50
	sampledAtOnce = 500
	sampledFor    = 1500 * time.Millisecond
	// timedKeys is how many keys are asked for their expiry: the server counts each
	// such question as a lookup of its users.
	timedKeys = 500
	// shownNames is how many names or patterns a finding lists.
	shownNames = 5
)

// lookups are hits and misses that the server has counted.
type lookups struct {
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

// sampling is one look at some keys of the selected database.
type sampling struct {
	conn            *conn
	sizes, expiries bool
	big             int64 // bytes from which a key is large

	looked   int64 // keys
	whole    bool  // no key was left out
	found    int64 // large keys
	largest  int64
	examples []string // of large keys
	timed    int64
	patterns map[string]int64 // of names that never expire
	own      lookups
}

// run returns the command that was refused, if one was.
func (s *sampling) run() (denied string, err error) {
	end := time.Now().Add(sampledFor)
	cursor := "0"
	for round := 0; round < sampledRounds && s.looked < sampledKeys && time.Now().Before(end); round++ {
		names, next, err := s.conn.scan(cursor, sampledAtOnce)
		if isRefused(err) {
			return "SCAN", nil
		}
		if err != nil {
			return "", err
		}
		if denied, err := s.look(names); denied != "" || err != nil {
			return denied, err
		}
		if cursor = next; cursor == "0" {
			s.whole = true
			break
		}
	}
	return "", nil
}

// scan asks for about count names.
func (c *conn) scan(cursor string, count int) (names []string, next string, err error) {
	got, err := c.do("SCAN", cursor, "COUNT", fmt.Sprint(count))
	if err != nil {
		return nil, "", fmt.Errorf("look at some keys of %s: %w", c.address, err)
	}
	pair, _ := got.([]any)
	if len(pair) != 2 {
		return nil, "", fmt.Errorf("look at some keys of %s: %w", c.address, errProtocol)
	}
	next, isText := pair[0].(string)
	list, isList := pair[1].([]any)
	if !isText || !isList {
		return nil, "", fmt.Errorf("look at some keys of %s: %w", c.address, errProtocol)
	}
	for _, name := range list {
		text, _ := name.(string)
		names = append(names, text)
	}
	return names, next, nil
}

func (s *sampling) look(names []string) (denied string, err error) {
	s.looked += int64(len(names))
	if s.sizes {
		sizes, err := s.conn.each(names, func(name string) []string { return []string{"MEMORY", "USAGE", name, "SAMPLES", "5"} })
		if isRefused(err) {
			return "MEMORY USAGE", nil
		}
		if err != nil {
			return "", err
		}
		s.weigh(names, sizes)
	}
	if !s.expiries || s.timed >= timedKeys {
		return "", nil
	}
	names = names[:min(int64(len(names)), timedKeys-s.timed)]
	left, err := s.conn.each(names, func(name string) []string { return []string{"PTTL", name} })
	if isRefused(err) {
		return "PTTL", nil
	}
	if err != nil {
		return "", err
	}
	s.time(names, left)
	return "", nil
}

// each asks one question per name, all at once. The answer about a key that has
// gone meanwhile is -2, or nil for its size.
func (c *conn) each(names []string, question func(name string) []string) ([]int64, error) {
	for _, name := range names {
		c.send(question(name)...)
	}
	if err := c.w.Flush(); err != nil {
		return nil, c.lost(err)
	}
	answers := make([]int64, len(names))
	var refused error
	for i := range names { // all of them, or the next question would get an old answer
		got, err := c.receive()
		if err != nil && !isRefused(err) {
			return nil, fmt.Errorf("look at a key of %s: %w", c.address, err)
		}
		refused = cmp.Or(refused, err)
		answers[i], _ = got.(int64)
	}
	return answers, refused
}

func (s *sampling) weigh(names []string, sizes []int64) {
	for i, size := range sizes {
		if size < s.big {
			continue
		}
		s.found++
		s.largest = max(s.largest, size)
		if len(s.examples) < shownNames {
			s.examples = append(s.examples, names[i])
		}
	}
}

func (s *sampling) time(names []string, left []int64) {
	const gone, never = -2, -1
	for i, ms := range left {
		if ms == gone {
			s.own.Misses++
			continue
		}
		s.own.Hits++
		s.timed++
		if ms == never {
			s.patterns[pattern(names[i])]++
		}
	}
}

// common are the most frequent patterns.
func (s *sampling) common() []string {
	names := slices.SortedFunc(maps.Keys(s.patterns), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.patterns[b], s.patterns[a]), strings.Compare(a, b))
	})
	return names[:min(len(names), shownNames)]
}

// pattern is a name without what tells one such key from the next: from the first
// colon on, or from the first digit on, back to the mark before it.
func pattern(name string) string {
	if head, _, found := strings.Cut(name, ":"); found {
		return head + ":*"
	}
	digit := strings.IndexAny(name, "0123456789")
	if digit < 0 {
		return name
	}
	if mark := strings.LastIndexAny(name[:digit], "-_./"); mark >= 0 {
		digit = mark + 1
	}
	return name[:digit] + "*"
}
