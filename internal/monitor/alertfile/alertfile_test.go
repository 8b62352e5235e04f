package alertfile_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upkeep/internal/monitor/alertfile"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestFilesAreJudged compares what is said of each file with what is kept beside it.
func TestFilesAreJudged(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files:", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { golden(t, file+".want", told(alertfile.Check(file))) })
	}
}

func told(r alertfile.Report) string {
	var b strings.Builder
	for _, p := range r.Problems {
		b.WriteString("refused " + p.String() + "\n")
	}
	for _, p := range r.Warnings {
		b.WriteString("warning " + p.String() + "\n")
	}
	b.WriteString("corrected:\n" + r.Corrected)
	return b.String()
}

func golden(t *testing.T, path, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text {
		t.Errorf("%s says otherwise; got:\n%s", path, text)
	}
}

// TestWhatIsCorrectedLoads holds the promise of a corrected text: nothing is refused
// in it any more.
func TestWhatIsCorrectedLoads(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		corrected := alertfile.Check(file).Corrected
		if corrected == "" {
			continue
		}
		if again := alertfile.Judge(file, corrected); len(again.Problems) > 0 {
			t.Errorf("%s as corrected is refused: %v", file, again.Problems)
		}
	}
}

func TestFileThatIsNotThere(t *testing.T) {
	r := alertfile.Check(filepath.Join(t.TempDir(), "alertmanager.yml"))
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0].String(), "no such file") {
		t.Errorf("got %v", r.Problems)
	}
}

func TestFilesBesideTheFileAreNamedInFull(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := alertfile.Judge(filepath.Join(dir, "alertmanager.yml"), `
global: {smtp_smarthost: 'mail.example.org:587', smtp_from: 'a@example.org'}
route: {receiver: ops}
receivers: [{name: ops, email_configs: [{to: ops@example.org, auth_username: ops, auth_password_file: password}]}]
`)
	if len(r.Warnings) != 1 || !strings.Contains(r.Corrected, "auth_password_file: "+dir+"/password}") {
		t.Errorf("warned %v, corrected %s", r.Warnings, r.Corrected)
	}
}

// FuzzJudge: whatever stands in a file, it is judged and what is corrected loads.
func FuzzJudge(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := alertfile.Judge("alertmanager.yml", text)
		if r.Corrected == "" {
			return
		}
		if again := alertfile.Judge("alertmanager.yml", r.Corrected); len(again.Problems) > 0 {
			t.Errorf("corrected, it is refused: %v\n%s", again.Problems, r.Corrected)
		}
	})
}
