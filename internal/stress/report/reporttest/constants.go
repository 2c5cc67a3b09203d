package reporttest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"testing"
)

// Constants returns the values of a package's string constants by the names of their
// types. Tests compare them with schemas, which repeat them.
func Constants(t testing.TB, folder string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if kind, value, ok := constant(n); ok {
				values[kind] = append(values[kind], value)
			}
			return true
		})
	}
	return values
}

// constant returns the type and the value of a string constant that is not empty.
func constant(n ast.Node) (kind, value string, ok bool) {
	spec, ok := n.(*ast.ValueSpec)
	if !ok || len(spec.Values) != 1 {
		return "", "", false
	}
	name, isName := spec.Type.(*ast.Ident)
	literal, isLiteral := spec.Values[0].(*ast.BasicLit)
	if !isName || !isLiteral || literal.Kind != token.STRING {
		return "", "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return name.Name, value, err == nil && value != ""
}
