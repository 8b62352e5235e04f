// Package record cuts a stream of bytes into log records: a message with its time,
// level and origin, and the lines that belong to it. It finds them by the form of a
// line's head and never by a word in its text: "no ERROR found" has no level. It
// does not group messages; package template does.
package record

import "time"

// Level is how serious a program says a message is.
type Level uint8

// The levels. None means that the line does not say.
const (
	None Level = iota
	Debug
	Info
	Warning
	Error
	Critical
)

// String is the name that most programs print.
func (l Level) String() string {
	return [...]string{"NONE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}[min(l, Critical)]
}

// Record is one message. Its slices are valid until the next call of Reader.Next.
type Record struct {
	// Time is zero when neither the line nor one before it says. A line without a
	// stamp of its own has the time of the line before.
	Time time.Time
	// Stamped says that the line has a stamp of its own.
	Stamped bool
	Level   Level
	// Name is the logger, process or program, where the head names one.
	Name []byte
	// Message is the text behind the head: UTF-8 without colours, GBK decoded, any
	// other byte and control characters written as \xNN.
	Message []byte
	// More are the lines that belong to the message: a traceback, a statement.
	More []byte
	// Raw is the first line as it was.
	Raw []byte
	// Line is the number of the first line, from 1.
	Line int64
}

// Limits of what is kept of one record.
const (
	MaxLine = 64 << 10 // bytes of one line
	MaxMore = 64 << 10 // bytes of all lines that belong to it
)

// Stats says what was read and what was left out.
type Stats struct {
	Bytes, Lines, Records int64
	Cut                   int64 // lines longer than MaxLine
	Dropped               int64 // bytes of lines beyond MaxLine and of records beyond MaxMore
	Decoded               int64 // lines read as GBK
	Escaped               int64 // lines with bytes that are no text
}

// Options say what lines leave out. The zero value is for stamps in UTC.
type Options struct {
	// Zone is that of stamps which name none, UTC when nil.
	Zone *time.Location
	// Day is the date of stamps without one, until a line says another. Zero: such
	// stamps give no time until then.
	Day time.Time
}
