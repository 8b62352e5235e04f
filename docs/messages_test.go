package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/config"
	"upkeep/internal/service/all"
	"upkeep/internal/surface/cli"
)

// messageID is how the program's own messages are called in its source.
var messageID = regexp.MustCompile(`^(cli|control|check|backup|verify|drill|restore|report|initialize)\.[a-z]+(-[a-z]+)*$`)

// TestEveryMessageHasWords reads the source for IDs of messages: a verb whose
// words were forgotten shows "!verb.step" only on the day that it runs.
func TestEveryMessageHasWords(t *testing.T) {
	words := texts(t, cli.Words()).Words("en")
	for _, file := range sources(t) {
		for _, id := range literals(t, file) {
			title, _ := words.Finding(id, nil)
			problem, _, _ := words.Error(id, nil)
			if messageID.MatchString(id) && missing(words.Message(id, nil)) && missing(title) && missing(problem) {
				t.Errorf("%s says %s, which has no words", file, id)
			}
		}
	}
}

func missing(text string) bool { return strings.HasPrefix(text, "!") }

func sources(t *testing.T) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join("..", "internal"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 100 {
		t.Fatalf("%d source files: %v", len(files), err)
	}
	return files
}

func literals(t *testing.T, file string) (found []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if value, err := strconv.Unquote(text.Value); err == nil {
				found = append(found, value)
			}
		}
		return true
	})
	return found
}

// TestExamplesAreAccepted loads every kind's example as it would stand in a file.
func TestExamplesAreAccepted(t *testing.T) {
	for _, kind := range all.Kinds().Kinds() {
		indented := "  " + strings.ReplaceAll(strings.TrimRight(string(kind.Example()), "\n"), "\n", "\n  ")
		_, problems := config.Parse("example.yaml", []byte("system: example\nservices:\n"+indented+"\n"), all.Kinds())
		for _, p := range problems {
			t.Errorf("%s: %s", kind.Name(), p)
		}
	}
}

// TestEveryProblemOfAKindIsTranslated looks for the formats in the kinds' source:
// every constant text given to Addf.
func TestEveryProblemOfAKindIsTranslated(t *testing.T) {
	words := texts(t)
	for _, kind := range all.Kinds().Kinds() {
		files, err := filepath.Glob(filepath.Join("..", "internal", "service", kind.Name(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, format := range problems(t, file) {
				args := make([]any, strings.Count(format, "%")-2*strings.Count(format, "%%"))
				if words.Words("zh").Sprintf(format, args...) == words.Words("en").Sprintf(format, args...) {
					t.Errorf("%s: not translated: %s", file, format)
				}
			}
		}
	}
}

// problems are the constant formats that a file gives to Addf.
func problems(t *testing.T, file string) (formats []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		format, constant := call.Args[1].(*ast.BasicLit)
		if ok && constant && method.Sel.Name == "Addf" {
			text, err := strconv.Unquote(format.Value)
			if err != nil {
				t.Fatal(err)
			}
			formats = append(formats, text)
		}
		return true
	})
	return formats
}
