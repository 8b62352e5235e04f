package config_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/catalogue"
	"upkeep/internal/config"
)

// TestEveryProblemIsTranslated looks for the formats in the source: every
// constant text given to a func that makes problems.
func TestEveryProblemIsTranslated(t *testing.T) {
	words, err := catalogue.New(catalogue.Source{Prefix: "config", Text: config.Text()})
	if err == nil {
		err = words.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]bool{}
	for _, dir := range []string{".", "../quantity", "../calendar", "../service", "../secret"} {
		for _, format := range formatsIn(t, dir) {
			formats[format] = true
		}
	}
	if len(formats) < 40 {
		t.Fatalf("only %d formats were found", len(formats))
	}
	for format := range formats {
		args := make([]any, strings.Count(format, "%")-2*strings.Count(format, "%%"))
		if words.Words("zh").Sprintf(format, args...) == words.Words("en").Sprintf(format, args...) {
			t.Errorf("not translated: %s", format)
		}
	}
}

func formatsIn(t *testing.T, dir string) (formats []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			if format := formatOf(node, dir); format != "" {
				formats = append(formats, format)
			}
			return true
		})
	}
	return formats
}

// formatOf returns the constant format of a call of Addf, addf, mistakef and,
// where secret reads YAML, of errors.New.
func formatOf(node ast.Node, dir string) string {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return ""
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	at := slices.Index([]string{"mistakef", "Addf", "addf"}, name)
	if dir == "../secret" && name == "New" {
		at = 0 // of UnmarshalYAML; the other errors of secret are no problems of a file
	}
	if at < 0 || len(call.Args) <= min(at, 1) {
		return ""
	}
	literal, ok := call.Args[min(at, 1)].(*ast.BasicLit)
	if !ok {
		return ""
	}
	format, err := strconv.Unquote(literal.Value)
	if err != nil || dir == "../secret" && !strings.HasPrefix(format, "must ") {
		return ""
	}
	return format
}
