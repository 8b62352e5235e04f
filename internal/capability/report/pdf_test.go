package report_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/capability/report"
	"upkeep/internal/command"
	"upkeep/internal/service"
)

// printed prints with a program in the place of Chromium.
func printed(t *testing.T, page report.Page, program string) (string, error) {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	if program != "" {
		if err := os.WriteFile(filepath.Join(bin, "chromium"), []byte("#!/bin/sh\n[ \"$1\" = --version ] && exit\n"+program), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := report.PDF(t.Context(), &out, page, words(t, "zh"), now(), &command.Runner{PATH: bin}, dir)
	return out.String(), err
}

// A program that ends well has not yet made a PDF.
func TestWhatIsNoWholePDFIsNone(t *testing.T) {
	for program, want := range map[string]string{
		"":                                 "report.no-browser",
		"exit 1":                           "report.not-printed",
		"exit 0":                           "report.not-printed",
		"printf '%%PDF-1.4\\n' > page.pdf": "report.not-printed",
		"printf '%%PDF-1.4\\n%%%%EOF\\n' > page.pdf":         "report.not-printed",
		"printf 'PDF\\n/Type /Page\\n%%%%EOF\\n' > page.pdf": "report.not-printed",
	} {
		out, err := printed(t, daily(), program)
		var fault *service.Fault
		if !errors.As(err, &fault) || fault.ID != want || out != "" {
			t.Errorf("%q: %q, %v", program, out, err)
		}
	}
	if out, err := printed(t, daily(), "printf '%%PDF-1.4\\n/Type /Page\\n%%%%EOF\\n' > page.pdf"); err != nil || !strings.HasPrefix(out, "%PDF-") {
		t.Errorf("%q, %v", out, err)
	}
}

// What Chromium is given to print is unfolded: nobody opens anything on paper.
func TestPaperIsUnfolded(t *testing.T) {
	kept := filepath.Join(t.TempDir(), "page.html")
	copier, err := exec.LookPath("cp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := printed(t, resultsPage(), copier+" page.html "+kept+" && printf '%%PDF-1.4\\n/Type /Page\\n%%%%EOF\\n' > page.pdf"); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(kept)
	if folds := bytes.Count(page, []byte("<details")); err != nil || folds != 2 || bytes.Count(page, []byte(" open>")) != folds {
		t.Errorf("%d folds, %v", folds, err)
	}
}

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "r.md")
	write := func(text string, err error) error {
		return report.Save(path, func(w io.Writer) error {
			_, wrong := io.WriteString(w, text)
			return errors.Join(wrong, err)
		})
	}
	if err := errors.Join(write("one", nil), write("two", nil)); err != nil {
		t.Fatal(err)
	}
	if err := write("half", io.ErrShortWrite); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	text, err := os.ReadFile(path)
	left, listErr := os.ReadDir(dir)
	if err != nil || listErr != nil || string(text) != "two" || len(left) != 1 {
		t.Errorf("%q, %v, %v", text, left, err)
	}
	path = dir
	if err := write("x", nil); !errors.Is(err, service.ErrRefused) {
		t.Errorf("a directory: %v", err)
	}
	path = filepath.Join(dir, "none", "r.md")
	if err := write("x", nil); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("no folder: %v", err)
	}
}
