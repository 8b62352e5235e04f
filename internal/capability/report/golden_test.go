package report_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/capability/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/NAME, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is out of date; got:\n%s", path, got)
	}
}

func pages() map[string]func() report.Page {
	return map[string]func() report.Page{"daily": daily, "broken": broken, "week": week, "hostile": hostile, "results": resultsPage}
}

func TestPagesInEveryFormatAndLanguage(t *testing.T) {
	for name, page := range pages() {
		for _, lang := range []string{"en", "zh"} {
			for format, ending := range map[string]string{"text": "txt", "md": "md", "html": "html", "json": "json"} {
				var b strings.Builder
				if err := report.Write(&b, page(), format, words(t, lang), now()); err != nil {
					t.Fatalf("%s %s %s: %v", name, lang, format, err)
				}
				golden(t, name+"."+lang+"."+ending, b.String())
				if strings.Contains(b.String(), "!report.") {
					t.Errorf("%s %s %s lacks words", name, lang, format)
				}
			}
		}
	}
}

func TestTextInColourAndOnNarrowTerminals(t *testing.T) {
	for name, text := range map[string]report.Text{
		"daily.colour": {Colour: true}, "daily.60": {Columns: 60}, "daily.300": {Columns: 300}, "broken.60": {Columns: 60},
	} {
		page, _, _ := strings.Cut(name, ".")
		text.Words, text.Now = words(t, "zh"), now()
		var b strings.Builder
		if err := text.Write(&b, pages()[page]()); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.String())
	}
}

func TestNamesNeverBecomeMarkup(t *testing.T) {
	for format, forbidden := range map[string][]string{
		"html": {"<script", "\x1b"}, "md": {"<script", "\x1b"}, "json": {"<script", "\x1b"}, "text": {"\x1b"},
	} {
		var b strings.Builder
		if err := report.Write(&b, hostile(), format, words(t, "en"), now()); err != nil {
			t.Fatal(err)
		}
		for _, text := range forbidden {
			if strings.Contains(b.String(), text) {
				t.Errorf("%s holds %q:\n%s", format, text, b.String())
			}
		}
	}
}

func TestPageNeedsNoNetwork(t *testing.T) {
	var b strings.Builder
	if err := report.Write(&b, week(), "html", words(t, "en"), now()); err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"<script", "<link", "@import", "url(", "src=", `href="http`} {
		if strings.Contains(b.String(), outside) {
			t.Errorf("the page holds %s", outside)
		}
	}
}

func TestJSONIsWhole(t *testing.T) {
	var b strings.Builder
	if err := report.Write(&b, daily(), "json", words(t, "en"), now()); err != nil {
		t.Fatal(err)
	}
	var page struct {
		Runs []struct {
			Verb    string
			Targets []struct{ Findings []struct{ Runbook string } }
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Runs) != 5 || page.Runs[0].Targets[0].Findings[0].Runbook != "docs/runbooks/kind.table-bloat.md" {
		t.Errorf("got %+v", page)
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if err := report.Write(&strings.Builder{}, daily(), "docx", words(t, "en"), now()); err == nil {
		t.Error("docx was written")
	}
}
