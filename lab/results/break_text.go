package results

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// textFaults change bytes of the JSON database, whatever its version.
func textFaults() []fault {
	return []fault{
		{"truncated", inText("the JSON database ends in the middle", func(b []byte) ([]byte, error) { return b[:len(b)*3/5], nil })},
		{"garbled", inText("80 bytes in the middle of the JSON database are others", garble)},
		{"empty", inText("the JSON database has no byte", func([]byte) ([]byte, error) { return nil, nil })},
		{"bom", inText("the JSON database begins with a byte order mark", func(b []byte) ([]byte, error) { return append([]byte("\xef\xbb\xbf"), b...), nil })},
		{"duplicate-key", inText("a key stands twice in one object of the JSON database", twice)},
		{"deep", inText("an object of 100 levels is in the JSON database", atTop(`"nested": `+strings.Repeat(`{"a": `, 99)+"{}"+strings.Repeat("}", 99)))},
		{"nan", inText("a rate of the JSON database is NaN", replaceOne(`("success_rate": )[-0-9.e]+`, "${1}NaN"))},
		{"big-number", inText("a number of the JSON database is 2^53 + 1", atTop(`"experiment_metrics": {"total_tokens": 9007199254740993}`))},
		{"bad-utf8", inText("a time in the JSON database has a byte that is no UTF-8", replaceOne(`("created_at": ")`, "${1}\xff"))},
	}
}

func inText(what string, change func([]byte) ([]byte, error)) func(context.Context, store) (Planted, error) {
	return func(_ context.Context, s store) (Planted, error) {
		path, err := s.database()
		if err != nil {
			return Planted{}, err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return Planted{}, err
		}
		if text, err = change(text); err != nil {
			return Planted{}, err
		}
		return s.planted(path, "%s", what), os.WriteFile(path, text, 0o644)
	}
}

func garble(b []byte) ([]byte, error) {
	const rubbish = "#@~"
	for i := range min(80, len(b)/2) {
		b[len(b)/2+i] = rubbish[i%len(rubbish)]
	}
	return b, nil
}

// atTop adds an entry to the object that is the document.
func atTop(entry string) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		return append([]byte("{\n  "+entry+","), bytes.TrimPrefix(b, []byte("{"))...), nil
	}
}

// replaceOne changes the last thing in the text that is like a pattern.
func replaceOne(pattern, by string) func([]byte) ([]byte, error) {
	like := regexp.MustCompile(pattern)
	return func(b []byte) ([]byte, error) {
		all := like.FindAllSubmatchIndex(b, -1)
		if all == nil {
			return nil, fmt.Errorf("nothing like %s: %w", pattern, ErrShape)
		}
		last := all[len(all)-1]
		changed := like.Expand(bytes.Clone(b[:last[0]]), []byte(by), b, last)
		return append(changed, b[last[1]:]...), nil
	}
}

func twice(b []byte) ([]byte, error) {
	return replaceOne(`("total(_tests)?": \d+)`, "${1}, ${1}")(b)
}
