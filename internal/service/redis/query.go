package redis

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// Query runs one command that the server itself calls read-only: "LLEN celery",
// "GET 'a key'", "HGETALL settings". A single answer is one row; a list gives a
// row per element, a map one per field with its value.
func (in *Instance) Query(ctx context.Context, statement string) iter.Seq2[service.Row, error] {
	return func(yield func(service.Row, error) bool) {
		if err := in.query(ctx, statement, yield); err != nil {
			yield(service.Row{}, fmt.Errorf("query %s: %w", in.at.address, err))
		}
	}
}

// query returns nil when the reader has stopped.
func (in *Instance) query(ctx context.Context, statement string, yield func(service.Row, error) bool) (err error) {
	args, err := splitCommand(statement)
	if err != nil {
		return err
	}
	c, err := in.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.allow(args); err != nil {
		return err
	}
	// RESP 3 tells maps from lists; a server without it answers in lists.
	var no *refusal
	if _, err := c.do("HELLO", "3"); err != nil && !errors.As(err, &no) {
		return err
	}
	c.send(args...)
	if err := c.w.Flush(); err != nil {
		return c.lost(err)
	}
	return c.rows(yield)
}

// allow asks the server for the flags of the command. Blocking commands could
// hold the connection, scripts the server.
func (c *conn) allow(args []string) error {
	flags, err := c.flags(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 && !slices.Contains(flags, "readonly") {
		if flags, err = c.flags(args[0] + "|" + args[1]); err != nil { // XINFO STREAM, OBJECT ENCODING
			return err
		}
	}
	for _, never := range []string{"write", "blocking", "noscript", "admin", "pubsub"} {
		if slices.Contains(flags, never) {
			return fmt.Errorf("%s is not a plain read: %w", strings.ToUpper(args[0]), service.ErrRefused)
		}
	}
	if !slices.Contains(flags, "readonly") {
		return fmt.Errorf("%s is not a read-only command: %w", strings.ToUpper(args[0]), service.ErrRefused)
	}
	return nil
}

// flags returns none for an unknown command.
func (c *conn) flags(command string) ([]string, error) {
	got, err := c.do("COMMAND", "INFO", command)
	if err != nil {
		return nil, fmt.Errorf("ask what %s does: %w", command, err)
	}
	list, _ := got.([]any)
	if len(list) != 1 {
		return nil, nil
	}
	details, _ := list[0].([]any) // name, arity, flags, …
	if len(details) < 3 {
		return nil, nil
	}
	named, _ := details[2].([]any)
	var flags []string
	for _, flag := range named {
		if text, ok := flag.(string); ok {
			flags = append(flags, text)
		}
	}
	return flags, nil
}

// rows hands out the elements of a list as they come.
func (c *conn) rows(yield func(service.Row, error) bool) error {
	if err := c.wait(); err != nil {
		return c.lost(err)
	}
	kind, text, err := readHead(c.r)
	if err != nil {
		return c.lost(err)
	}
	if !isAggregate(kind) {
		value, err := readScalar(c.r, kind, text)
		if err != nil {
			return c.lost(err)
		}
		if no, ok := value.(*refusal); ok {
			return no
		}
		yield(service.Row{Values: []any{value}}, nil)
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return errProtocol
	}
	for range n {
		element, err := readElement(c.r, kind)
		if err != nil {
			return c.lost(err)
		}
		if !yield(row(element), nil) {
			return nil
		}
	}
	return nil
}

// row spreads a pair over columns; what is nested deeper is shown as text.
func row(element any) service.Row {
	parts, ok := element.([]any)
	if !ok {
		return service.Row{Values: []any{element}}
	}
	columns := make([]any, len(parts))
	for i, part := range parts {
		if _, nested := part.([]any); nested {
			part = fmt.Sprint(part)
		}
		columns[i] = part
	}
	return service.Row{Values: columns}
}

var errQuote = errors.New("a quotation mark is not closed")

// splitCommand splits at blanks. "…" understands \" \\ \n \r \t \xHH, '…' keeps
// everything.
func splitCommand(text string) ([]string, error) {
	var args []string
	for {
		text = strings.TrimLeft(text, " \t\r\n")
		if text == "" {
			break
		}
		arg, rest, err := nextWord(text)
		if err != nil {
			return nil, err
		}
		args, text = append(args, arg), rest
	}
	if len(args) == 0 {
		return nil, errors.New("no command")
	}
	return args, nil
}

func nextWord(text string) (word, rest string, err error) {
	switch text[0] {
	case '\'':
		word, rest, closed := strings.Cut(text[1:], "'")
		if !closed {
			return "", "", errQuote
		}
		return word, rest, nil
	case '"':
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", errQuote
		}
		word, err := strconv.Unquote(quoted)
		return word, text[len(quoted):], err
	}
	end := strings.IndexAny(text, " \t\r\n")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], nil
}
