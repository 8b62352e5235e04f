package repository

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName is what an escaped name may take in bytes; file systems end at 255.
const longestName = 200

// escapeName makes a file name of any bytes, for those who restore with stock
// kopia: what is no plain visible character becomes %XX, a name that is too long
// is cut and ends in ~ and its digest. Two names never become one.
func escapeName(name string) string {
	if name == "" || name == "." || name == ".." {
		return strings.ReplaceAll("%"+name, ".", "%2E")
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		char, size := utf8.DecodeRuneInString(name[i:])
		if plain(char, size) {
			b.WriteString(name[i : i+size])
		} else {
			for _, raw := range []byte(name[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", raw)
			}
		}
		i += size
	}
	return shorten(b.String())
}

func plain(char rune, size int) bool {
	if char == utf8.RuneError && size == 1 {
		return false
	}
	return unicode.IsPrint(char) && !strings.ContainsRune(`/\%~`, char)
}

func shorten(escaped string) string {
	if len(escaped) <= longestName {
		return escaped
	}
	digest := sha256.Sum256([]byte(escaped))
	end := "~" + hex.EncodeToString(digest[:12])
	cut := longestName - len(end)
	for !utf8.RuneStart(escaped[cut]) {
		cut--
	}
	return escaped[:cut] + end
}

// text is a string of any bytes that survives JSON: bytes that are no UTF-8
// become \xHH, and \ becomes \\.
type text string

// MarshalText implements encoding.TextMarshaler.
func (t text) MarshalText() ([]byte, error) {
	s := string(t)
	if utf8.ValidString(s) && !strings.Contains(s, `\`) {
		return []byte(s), nil
	}
	var b []byte
	for i := 0; i < len(s); {
		char, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case char == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case char == '\\':
			b = append(b, `\\`...)
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return b, nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *text) UnmarshalText(raw []byte) error {
	s := string(raw)
	if !strings.Contains(s, `\`) {
		*t = text(s)
		return nil
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		char, length, err := unescape(s[i:])
		if err != nil {
			return err
		}
		b = append(b, char)
		i += length - 1
	}
	*t = text(b)
	return nil
}

func unescape(s string) (char byte, length int, err error) {
	if strings.HasPrefix(s, `\\`) {
		return '\\', 2, nil
	}
	if len(s) >= 4 && s[1] == 'x' {
		value, err := strconv.ParseUint(s[2:4], 16, 8)
		return byte(value), 4, err
	}
	return 0, 0, errors.New("unfinished escape in an index")
}
