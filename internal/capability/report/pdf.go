package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"upkeep/internal/catalogue"
	"upkeep/internal/command"
	"upkeep/internal/service"
)

// browsers are names that Chromium has where it is installed.
func browsers() []string {
	return []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chromium-headless-shell"}
}

// printing is how long a page may take: two seconds are usual.
const printing = 2 * time.Minute

// PDF prints the HTML page with the Chromium of this machine, in a directory of its own.
// Without one the error says so and names HTML.
func PDF(ctx context.Context, out io.Writer, p Page, words catalogue.Words, now time.Time, tools *command.Runner, dir string) error {
	browser, err := browser(ctx, tools)
	if err != nil {
		return err
	}
	if err := (Text{Words: words, Now: now}).printable(filepath.Join(dir, "page.html"), p); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, printing)
	defer cancel()
	run := tools.Run(ctx, command.Spec{Path: browser, Args: printArgs(dir), Env: homeIn(dir), Dir: dir})
	pdf, err := os.ReadFile(filepath.Join(dir, "page.pdf"))
	if err == nil {
		err = whole(pdf)
	}
	if run != nil || err != nil {
		return notPrinted(browser, errors.Join(run, err))
	}
	_, err = out.Write(pdf)
	return err
}

// homeIn lets Chromium write to nothing of ours: its home and its temporary files are in
// dir, too. Those in turn are in /tmp where the path of its socket would be too long for one.
func homeIn(dir string) []string {
	const longest, socket = 107, "/org.chromium.Chromium.XXXXXX/SingletonSocket"
	env := []string{"HOME=" + dir}
	if len(dir)+len(socket) <= longest {
		env = append(env, "TMPDIR="+dir)
	}
	return env
}

func browser(ctx context.Context, tools *command.Runner) (path string, err error) {
	for _, name := range browsers() {
		if path, _, err = tools.Find(ctx, name, 0); err == nil || ctx.Err() != nil {
			return path, err
		}
	}
	return "", &service.Fault{ID: "report.no-browser", Err: fmt.Errorf("look for a program to print with: %w: %w", err, service.ErrNoTool)}
}

func notPrinted(browser string, err error) error {
	return &service.Fault{ID: "report.not-printed", Args: service.Args{"program": filepath.Base(browser), "detail": gist(err.Error())},
		Err: fmt.Errorf("print the report: %w", err)}
}

// gist is the line that says why: Chromium says much else.
func gist(said string) string {
	first, _, _ := strings.Cut(said, "\n")
	for line := range strings.Lines(said) {
		if strings.Contains(line, ":FATAL:") || strings.Contains(line, "sandbox") {
			return strings.TrimSpace(line)
		}
	}
	return first
}

// printable writes the page as it is printed: unfolded.
func (t Text) printable(path string, p Page) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the page to print: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t.unfolded = true
	return t.html(f, p)
}

// printArgs let Chromium reach nothing but the page: no name resolves, and the page's own
// policy lets no script run and nothing load.
func printArgs(dir string) []string {
	args := []string{"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync", "--no-first-run", "--mute-audio",
		"--disable-background-networking", "--disable-component-update", "--disable-breakpad", "--host-resolver-rules=MAP * ~NOTFOUND",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--no-pdf-header-footer",
		"--print-to-pdf=" + filepath.Join(dir, "page.pdf"), "file://" + filepath.Join(dir, "page.html")}
	if os.Geteuid() == 0 {
		// As root Chromium refuses its sandbox. What it would confine is a page of our own: it
		// has no script, every name in it is escaped, and it loads nothing.
		args = append([]string{"--no-sandbox"}, args...)
	}
	return args
}

// whole reports what is wrong with a PDF: its beginning, its end, or that it has no page.
func whole(pdf []byte) error {
	switch {
	case !bytes.HasPrefix(pdf, []byte("%PDF-")):
		return errors.New("it does not begin as a PDF")
	case !bytes.Contains(pdf[max(0, len(pdf)-64):], []byte("%%EOF")):
		return errors.New("it has no end")
	case !bytes.Contains(pdf, []byte("/Type /Page\n")) && !bytes.Contains(pdf, []byte("/Type /Page ")):
		return errors.New("it has no page")
	}
	return nil
}
