package redis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// refusal is an error reply of the server. It unwraps to the sentinel that its
// first word stands for.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

// Unwrap returns a sentinel of package service, or nil.
func (r *refusal) Unwrap() error {
	code, rest, _ := strings.Cut(r.text, " ")
	switch code {
	case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED":
		return service.ErrDenied
	case "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN":
		return service.ErrBusy
	case "NOMASTERLINK":
		return service.ErrUnreachable
	case "READONLY", "MOVED":
		return service.ErrUnsupported
	case "OOM":
		return service.ErrNoSpace
	case "MISCONF":
		return service.ErrRefused
	}
	switch {
	case strings.HasPrefix(rest, "unknown command"), strings.HasPrefix(rest, "unknown subcommand"):
		return service.ErrUnsupported
	case isFull(r):
		return service.ErrBusy
	}
	return nil
}

func (r *refusal) code() string {
	code, _, _ := strings.Cut(r.text, " ")
	return code
}

func isCode(err error, code string) bool {
	var no *refusal
	return errors.As(err, &no) && no.code() == code
}

// isFull reports the answer to a connection over maxclients.
func isFull(err error) bool {
	var no *refusal
	return errors.As(err, &no) && strings.HasPrefix(no.text, "ERR max number of clients")
}

func isLoading(err error) bool { return isCode(err, "LOADING") }

// longest reply that is read into memory; a server's own limit of a string is
// half of it.
const longestReply = 1 << 30

var errProtocol = errors.New("the answer is not Redis protocol")

// readReply reads one reply of RESP 2 or 3: string, int64, float64, bool, nil,
// *refusal or []any; a map is a []any of pairs.
func readReply(r *bufio.Reader) (any, error) {
	kind, text, err := readHead(r)
	if err != nil {
		return nil, err
	}
	if isAggregate(kind) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, errProtocol
		}
		return readElements(r, kind, n)
	}
	return readScalar(r, kind, text)
}

// readHead reads the first line of a reply.
func readHead(r *bufio.Reader) (kind byte, text string, err error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, "", noEOF(err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return 0, "", errProtocol
	}
	return line[0], line[1:], nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func isAggregate(kind byte) bool { return strings.IndexByte("*~>%", kind) >= 0 }

func readElements(r *bufio.Reader, kind byte, n int) (any, error) {
	if n < 0 {
		return nil, nil
	}
	elements := []any{} // an empty answer is not a missing one
	for range n {
		element, err := readElement(r, kind)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	return elements, nil
}

// readElement reads one element of an aggregate; that of a map is a pair.
func readElement(r *bufio.Reader, kind byte) (any, error) {
	if kind == '%' {
		return readElements(r, '*', 2)
	}
	return readReply(r)
}

func readScalar(r *bufio.Reader, kind byte, text string) (any, error) {
	switch kind {
	case '+', '(':
		return text, nil
	case '-':
		return &refusal{text}, nil
	case ':':
		return strconv.ParseInt(text, 10, 64)
	case ',':
		return strconv.ParseFloat(text, 64)
	case '#':
		return text == "t", nil
	case '_':
		return nil, nil
	case '$', '=', '!':
		return readBulk(r, kind, text)
	}
	return nil, errProtocol
}

func readBulk(r *bufio.Reader, kind byte, text string) (any, error) {
	size, err := strconv.Atoi(text)
	if err != nil || size > longestReply {
		return nil, fmt.Errorf("%w: a string of %s bytes", errProtocol, text)
	}
	if size < 0 {
		return nil, nil
	}
	value := make([]byte, size+2)
	if _, err := io.ReadFull(r, value); err != nil {
		return nil, noEOF(err)
	}
	value = value[:size]
	switch {
	case kind == '!':
		return &refusal{string(value)}, nil
	case kind == '=' && size >= 4:
		return string(value[4:]), nil // "txt:" stands before it
	}
	return string(value), nil
}
