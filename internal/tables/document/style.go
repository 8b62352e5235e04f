package document

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// style is how a document is laid out: by lines, with a unit of indentation, or in one.
type style struct {
	unit  string // of indentation; "" in one line
	lines bool
	comma string // what follows a comma within a line
	colon string // with the blanks around it
}

// styleOf looks at the last member of an object: what is added shall look alike. Of an
// empty one it is that of the object before.
func (w *rewriter) styleOf(o *object) (style, error) {
	if o.n == 0 {
		return w.usual(), nil
	}
	lead, err := w.text(o.last.before, o.last.key)
	if err != nil {
		return style{}, err
	}
	lead, _, _ = strings.Cut(lead, `"`)
	colon, err := w.text(o.last.key, o.last.value)
	if err != nil {
		return style{}, err
	}
	w.style = style{colon: colon, comma: strings.TrimLeft(lead, ",")}
	if o.n == 1 && !strings.Contains(lead, "\n") && len(colon) > 1 {
		w.style.comma = " " // none has come yet; who puts blanks after colons puts them there
	}
	if at := strings.LastIndex(lead, "\n"); at >= 0 {
		depth := max(1, w.dec.StackDepth())
		blanks := lead[at+1:]
		w.style.lines, w.style.unit = true, blanks[:len(blanks)/depth]
	}
	return w.style, nil
}

func (w *rewriter) usual() style {
	if w.style.colon == "" {
		return style{colon: ": ", comma: " "}
	}
	return w.style
}

func (w *rewriter) text(from, to int64) (string, error) {
	text := make([]byte, to-from)
	_, err := w.from.ReadAt(text, from)
	return string(text), err
}

// members are keys and values within an object at a depth, after others or alone in it.
func (s style) members(all map[string]any, after bool, depth int) string {
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(all)) {
		b.WriteString(s.key(key, i > 0 || after, depth) + s.value(all[key], depth))
	}
	return b.String()
}

// key begins a member of an object at a depth, after others or as its first.
func (s style) key(key string, after bool, depth int) string {
	var b strings.Builder
	if after {
		b.WriteString(",")
	}
	switch {
	case s.lines:
		b.WriteString(s.line(depth))
	case after:
		b.WriteString(s.comma)
	}
	return b.String() + quoted(key) + s.colon
}

// end is what stands between the last member at a depth and the closing bracket.
func (s style) end(depth int) string {
	if !s.lines {
		return ""
	}
	return s.line(depth - 1)
}

func (s style) line(depth int) string { return "\n" + strings.Repeat(s.unit, depth) }

func (s style) value(v any, depth int) string {
	if below, is := v.(map[string]any); is {
		return "{" + s.members(below, false, depth+1) + s.end(depth+1) + "}"
	}
	return plain(v)
}

// plain is a value without values of its own. A number that is no whole one by its type
// shows it, as Python's writer does.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return text
	}
	return quoted(v.(string))
}

func quoted(text string) string {
	b, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		panic("quote " + strconv.Quote(text)) // keys and texts come out of documents: they are UTF-8
	}
	return string(b)
}
