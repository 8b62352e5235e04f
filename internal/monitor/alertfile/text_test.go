package alertfile_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/monitor/alertfile"
)

// TestEveryProblemIsTranslated looks for the formats in the source.
func TestEveryProblemIsTranslated(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "alertfile", Text: alertfile.Text()})
	if err == nil {
		err = words.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	formats := formats(t)
	if len(formats) < 20 {
		t.Fatalf("only %d formats were found", len(formats))
	}
	for _, format := range formats {
		args := make([]any, strings.Count(format, "%"))
		if words.Words("zh").Sprintf(format, args...) == words.Words("en").Sprintf(format, args...) {
			t.Errorf("not translated: %s", format)
		}
	}
}

var given = regexp.MustCompile(`(?:at\(k, |Addf\("", |nodes\[r\.Name\], )("(?:[^"\\]|\\.)*")`)

func formats(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range given.FindAllStringSubmatch(string(source), -1) {
			format, err := strconv.Unquote(m[1])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, format)
		}
	}
	return all
}
