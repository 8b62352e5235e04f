package report_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/capability/report"
)

func TestLettersInBothLanguages(t *testing.T) {
	for name, page := range pages() {
		for _, lang := range []string{"en", "zh"} {
			letter, err := report.Text{Words: words(t, lang), Now: now()}.Letter(page(), "reports/page.html")
			if err != nil {
				t.Fatalf("%s %s: %v", name, lang, err)
			}
			golden(t, name+"."+lang+".mail.html", letter.Subject+"\n"+letter.HTML)
			whole := letter.Subject + letter.HTML // in plain text a name is only text
			for _, forbidden := range []string{"!report.", "<script", "<svg", "var(--", "\x1b"} {
				if strings.Contains(whole, forbidden) {
					t.Errorf("%s %s holds %q", name, lang, forbidden)
				}
			}
			if strings.ContainsAny(letter.Subject, "\r\n") {
				t.Errorf("%s %s: the subject has several lines: %q", name, lang, letter.Subject)
			}
			for _, picture := range letter.Pictures {
				if !strings.Contains(letter.HTML, `src="cid:`+picture.ID+`"`) {
					t.Errorf("%s %s does not show %s", name, lang, picture.ID)
				}
			}
			if n := strings.Count(letter.HTML, "<img"); n != len(letter.Pictures) {
				t.Errorf("%s %s shows %d pictures and brings %d", name, lang, n, len(letter.Pictures))
			}
		}
	}
}

func TestChartsBecomePictures(t *testing.T) {
	letter, err := report.Text{Words: words(t, "zh"), Now: now()}.Letter(week(), "")
	if err != nil || len(letter.Pictures) == 0 {
		t.Fatalf("%d pictures, %v", len(letter.Pictures), err)
	}
	for _, picture := range letter.Pictures {
		img, err := png.Decode(bytes.NewReader(picture.PNG))
		if err != nil {
			t.Fatal(err)
		}
		dark := 0
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if r, _, _, _ := img.At(x, y).RGBA(); r < 0x8000 {
					dark++
				}
			}
		}
		if all := img.Bounds().Dx() * img.Bounds().Dy(); dark < all/200 || dark > all/5 {
			t.Errorf("%s: %d of %d dots are ink", picture.ID, dark, all)
		}
		if dir := os.Getenv("UPKEEP_LOOK"); dir != "" { // for whoever wants to look at it
			if err := os.WriteFile(filepath.Join(dir, picture.ID+".png"), picture.PNG, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
