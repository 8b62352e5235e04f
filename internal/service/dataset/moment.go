package dataset

import (
	"bufio"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"upkeep/internal/tables/document"
)

// soon is how far a clock may be ahead: what claims to be later was written by one that is
// wrong.
const soon = 24 * time.Hour

// moment is of when a text is: what it says of itself, else the newest time that stands in
// it.
func (in *Instance) moment(path, field string) (at time.Time, err error) {
	file, err := os.Open(path)
	if err != nil {
		return at, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if field != "" {
		if head, err := document.Head(file, field); err == nil {
			at, _ = in.time(head[field])
		}
	}
	if !at.IsZero() {
		return at, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return at, err
	}
	return in.newest(file)
}

// layouts of times without a zone, which are those of this machine.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02"}

func (in *Instance) time(value any) (at time.Time, ok bool) {
	text, is := value.(string)
	if !is {
		return at, false
	}
	at, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "T", 1))
	for i := 0; err != nil && i < len(layouts); i++ {
		at, err = time.ParseInLocation(layouts[i], text, in.env.Now().Location())
	}
	if err != nil || at.After(in.env.Now().Add(soon)) {
		return time.Time{}, false
	}
	return at, true
}

var timeInText = regexp.MustCompile(`\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})?`)

// newest reads in pieces; one time may stand across two of them.
func (in *Instance) newest(from io.Reader) (newest time.Time, err error) {
	const piece, longest = 64 << 10, 64
	r := bufio.NewReaderSize(from, piece)
	for {
		text, err := r.Peek(piece)
		for _, found := range timeInText.FindAll(text, -1) {
			if at, ok := in.time(string(found)); ok && at.After(newest) {
				newest = at
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return newest, err
		}
		if _, err := r.Discard(piece - longest); err != nil {
			return newest, err
		}
	}
}
