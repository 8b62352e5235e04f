package report

import (
	"fmt"
	"io"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// Formats are what Write can write.
func Formats() []string { return []string{"text", "md", "html", "json"} }

// Write writes a page as text, md, html or json.
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
	}
	return fmt.Errorf("a report can be text, md, html or json, not %q: %w", format, service.ErrUnsupported)
}
