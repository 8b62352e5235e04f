// Package quantity reads the amounts of a declaration with their units: spans
// of time, sizes, rates and shares. It is not for showing amounts to people:
// package catalogue does that, in the reader's language.
package quantity

import (
	"fmt"
	"strings"
)

// Mistake is why an amount could not be read. Format and Args stay apart so that
// it can be shown in the reader's language.
type Mistake struct {
	Format string
	Args   []any
}

func (m *Mistake) Error() string { return fmt.Sprintf(m.Format, m.Args...) }

// Problem returns what the message is made of.
func (m *Mistake) Problem() (format string, args []any) { return m.Format, m.Args }

func mistakef(format string, args ...any) error {
	return &Mistake{Format: format, Args: args}
}

// scalar reads what stands in the file as text: 5 and "5" are the same amount.
// What is no amount at all is refused by whoever parses the text.
func scalar(decode func(any) error) (string, error) {
	var value any
	err := decode(&value)
	return strings.TrimSpace(fmt.Sprint(value)), err
}
