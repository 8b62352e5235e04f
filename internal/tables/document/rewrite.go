package document

import (
	"bufio"
	"io"
	"iter"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Edit gives one object of a pattern other values: those that are there are replaced,
// others come at its end.
type Edit struct {
	Nth int64 // which of the objects that the pattern names, from 0
	// Below are keys that lead from the object to another one, which is made with all that is
	// between. The first of them is not in the object; edits of one object that have them come
	// last, those with a common beginning one after the other.
	Below  []string
	Fields map[string]any // nil, bool, int64, float64 or string
}

// Rewrite copies a document byte for byte but for edits: an ascending sequence per
// pattern. An object that is not there is made where its pattern has no captures, around its first edit. A
// value with values of its own is never replaced.
func Rewrite(from io.ReaderAt, size int64, to io.Writer, patterns []Pattern, edits []iter.Seq2[Edit, error]) error {
	section := func() *bufio.Reader { return bufio.NewReaderSize(io.NewSectionReader(from, 0, size), 64<<10) }
	parsed := io.Reader(section())
	odd, err := Mentions(section())
	if err != nil {
		return err
	}
	if odd {
		parsed = NewLenient(parsed)
	}
	w := &rewriter{reader: reader{dec: jsontext.NewDecoder(parsed), patterns: patterns}, from: from, src: section(), to: bufio.NewWriterSize(to, 64<<10)}
	for i := range patterns {
		q := &queue{}
		next, stop := iter.Pull2(edits[i])
		defer stop()
		q.next = next
		w.queues = append(w.queues, q)
	}
	if err := w.document(); err != nil {
		return w.fault(err)
	}
	if err := w.upTo(size); err != nil {
		return err
	}
	return w.to.Flush()
}

type rewriter struct {
	reader
	from   io.ReaderAt
	src    *bufio.Reader
	to     *bufio.Writer
	copied int64 // bytes of the source that are done with
	queues []*queue
	style  style
}

// queue is what a pattern still waits for.
type queue struct {
	next   func() (Edit, error, bool)
	nth    int64 // objects so far
	head   Edit
	filled bool
}

// fill looks at the next edit.
func (q *queue) fill() error {
	if q.filled {
		return nil
	}
	e, err, more := q.next()
	if err != nil {
		return err
	}
	q.head, q.filled = e, true
	if !more {
		q.head.Nth = -1
	}
	return nil
}

// take returns the edit of the next object; nil where it stays as it is.
func (q *queue) take() (map[string]any, error) {
	if err := q.fill(); err != nil {
		return nil, err
	}
	q.nth++
	if q.head.Nth != q.nth-1 || len(q.head.Below) > 0 {
		return nil, nil
	}
	q.filled = false
	return q.head.Fields, nil
}

// below returns the next edit that makes something below the object that was taken last.
func (q *queue) below() (e Edit, more bool, err error) {
	if err := q.fill(); err != nil || q.head.Nth != q.nth-1 {
		return e, false, err
	}
	q.filled = false
	return q.head, true, nil
}

// object is one that is being copied.
type object struct {
	edits  map[string]any // not done yet
	named  []int          // patterns that name it
	wanted []match        // patterns without captures whose next key has not come yet
	last   member
	n      int
}

// member is the last one of an object: offsets of its parts.
type member struct{ before, key, value, end int64 }

func (w *rewriter) document() error {
	open := make([]match, len(w.patterns))
	for i := range w.patterns {
		open[i] = match{pattern: i}
	}
	if _, err := w.value(open, nil, ""); err != nil {
		return err
	}
	return w.ended()
}

// value copies one value, or writes another one, and returns where it begins.
func (w *rewriter) value(open []match, o *object, key string) (start int64, err error) {
	kind := w.dec.PeekKind()
	deeper := kind == '{' || kind == '['
	if deeper && len(open) > 0 {
		return w.within(open, kind == '{')
	}
	raw, err := w.dec.ReadValue()
	if err != nil {
		return 0, err
	}
	end := w.dec.InputOffset()
	start = end - int64(len(raw))
	if o == nil || deeper {
		return start, nil
	}
	v, other := o.edits[key]
	if !other {
		return start, nil
	}
	delete(o.edits, key)
	return start, w.instead(start, end, plain(v))
}

// instead writes text in the place of some bytes of the source.
func (w *rewriter) instead(start, end int64, text string) error {
	if err := w.upTo(start); err != nil {
		return err
	}
	if _, err := w.src.Discard(int(end - start)); err != nil {
		return err
	}
	w.copied = end
	_, err := w.to.WriteString(text)
	return err
}

func (w *rewriter) upTo(offset int64) error {
	n, err := io.CopyN(w.to, w.src, offset-w.copied)
	w.copied += n
	return err
}

func (w *rewriter) within(open []match, isObject bool) (start int64, err error) {
	if _, err := w.dec.ReadToken(); err != nil {
		return 0, err
	}
	start = w.dec.InputOffset() - 1
	o, err := w.opened(open, isObject)
	if err != nil {
		return 0, err
	}
	o.last.end = start + 1
	for i := 0; ; i++ {
		if kind := w.dec.PeekKind(); kind == '}' || kind == ']' {
			break
		}
		if err := w.member(open, o, i, isObject); err != nil {
			return 0, err
		}
	}
	if err := w.add(o); err != nil {
		return 0, err
	}
	_, err = w.dec.ReadToken()
	return start, err
}

func (w *rewriter) opened(open []match, isObject bool) (*object, error) {
	o := &object{}
	if !isObject {
		return o, nil
	}
	for _, m := range open {
		p := w.patterns[m.pattern]
		if m.steps < len(p.steps) {
			if len(p.captures) == 0 {
				o.wanted = append(o.wanted, m)
			}
			continue
		}
		fields, err := w.take(m.pattern)
		if err != nil {
			return nil, err
		}
		o.give(fields)
		o.named = append(o.named, m.pattern)
	}
	return o, nil
}

func (w *rewriter) take(pattern int) (map[string]any, error) {
	fields, err := w.queues[pattern].take()
	w.failed = err
	return fields, err
}

func (o *object) give(fields map[string]any) {
	if o.edits == nil && len(fields) > 0 {
		o.edits = map[string]any{}
	}
	for name, v := range fields {
		o.edits[name] = v
	}
}

func (w *rewriter) member(open []match, o *object, i int, isObject bool) error {
	key, err := w.key(i, isObject)
	if err != nil {
		return err
	}
	o.wanted = slices.DeleteFunc(o.wanted, func(m match) bool { return w.patterns[m.pattern].steps[m.steps] == key })
	before, after := o.last.end, w.dec.InputOffset()
	value, err := w.value(w.further(open, key), o, key)
	if err != nil {
		return err
	}
	o.last = member{before, after, value, w.dec.InputOffset()}
	o.n++
	return nil
}

// add writes what an object lacks after its last member.
func (w *rewriter) add(o *object) error {
	for _, m := range o.wanted {
		fields, err := w.take(m.pattern)
		if err != nil {
			return err
		}
		if len(fields) > 0 {
			o.give(nest(w.patterns[m.pattern].steps[m.steps:], fields, o.edits))
		}
	}
	b := &branch{w: w, object: o, has: []bool{o.n > 0}}
	if len(o.edits) > 0 {
		if err := b.fields(o.edits); err != nil {
			return err
		}
	}
	for _, pattern := range o.named {
		if err := b.grow(w.queues[pattern]); err != nil {
			return err
		}
	}
	return b.end()
}

// nest puts fields below the keys that lead to them, beside what is below them already.
func nest(steps []string, fields, into map[string]any) map[string]any {
	if len(steps) == 0 {
		return fields
	}
	below, _ := into[steps[0]].(map[string]any)
	inner := map[string]any{}
	for name, v := range below {
		inner[name] = v
	}
	for name, v := range nest(steps[1:], fields, inner) {
		inner[name] = v
	}
	return map[string]any{steps[0]: inner}
}
