package report

import (
	"fmt"
	"io"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// Formats are those of a report. Write writes all of them but pdf, which needs a program.
func Formats() []string { return []string{"text", "md", "html", "json", "xlsx", "pdf"} }

// Binary reports whether a format is none for a terminal.
func Binary(format string) bool { return format == "xlsx" || format == "pdf" }

// Write writes a page as text, md, html, json or xlsx.
func Write(out io.Writer, p Page, format string, words catalogue.Words, now time.Time) error {
	text := Text{Words: words, Now: now}
	switch format {
	case "text":
		return text.Write(out, p)
	case "md":
		return text.markdown(out, p)
	case "html":
		return text.html(out, p)
	case "json":
		return text.json(out, p)
	case "xlsx":
		return text.xlsx(out, p)
	}
	return fmt.Errorf("a report can be text, md, html, json or xlsx here, not %q: %w", format, service.ErrUnsupported)
}
