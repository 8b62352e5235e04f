package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/service/all"
)

// TestEveryFindingThatIsRaisedHasWords reads the source: a finding that a kind
// raises on a rare day must not show as an ID then.
func TestEveryFindingThatIsRaisedHasWords(t *testing.T) {
	known := texts(t).IDs()
	for _, kind := range all.Kinds().Kinds() {
		files, err := filepath.Glob(filepath.Join("..", "internal", "service", kind.Name(), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no source of %s: %v", kind.Name(), err)
		}
		for _, file := range files {
			for _, slug := range raised(t, file) {
				id := slug
				if !strings.Contains(id, ".") {
					id = kind.Name() + "." + slug
				}
				if !slices.Contains(known, id) {
					t.Errorf("%s raises %s, which has no words", file, id)
				}
			}
		}
	}
}

// raised are the IDs that a file gives to Warn, Crit and Unsure as they stand.
func raised(t *testing.T, file string) []string {
	t.Helper()
	if strings.HasSuffix(file, "_test.go") {
		return nil
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var slugs []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 3 {
			return true
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Warn", "Crit", "Unsure"}, method.Sel.Name) || logs(method.X) {
			return true
		}
		if text, ok := call.Args[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
			if slug, err := strconv.Unquote(text.Value); err == nil {
				slugs = append(slugs, slug)
			}
		}
		return true
	})
	return slugs
}

// logs reports whether a method is called on the log, which warns too.
func logs(receiver ast.Expr) bool {
	field, ok := receiver.(*ast.SelectorExpr)
	return ok && field.Sel.Name == "Log"
}
