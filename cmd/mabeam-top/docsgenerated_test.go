package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// generatedBlock is a part of a page that TestGeneratedPartsInDocs writes.
var generatedBlock = regexp.MustCompile(`(?s)(<!-- generated: ([^>]+) -->\n).*?(<!-- end of generated -->)`)

// The generated parts of the documentation are what the program says today.
// Run the test with -update to write them.
func TestGeneratedPartsInDocs(t *testing.T) {
	generators := map[string]func(*testing.T) string{
		"commands": commandTable, "flags": flagTables, "scenarios": scenarioTable,
		"measurements": measurementSections, "probes": probeTable, "reference workloads": referenceWorkloadTable,
		"scenario keys": scenarioKeyTable, "system keys": systemKeyTable, "step keys": stepKeyTable, "faults": faultTable,
	}
	for _, page := range documentation(t) {
		want := generatedBlock.ReplaceAllStringFunc(page.text, func(block string) string {
			parts := generatedBlock.FindStringSubmatch(block)
			if words := strings.Fields(parts[2]); words[0] == "go" {
				return parts[1] + goDeclarations(t, words[1], words[2:]) + parts[3]
			}
			generate := generators[parts[2]]
			if generate == nil {
				t.Errorf("%s: unknown generator %q", page.path, parts[2])
				return block
			}
			return parts[1] + "\n" + generate(t) + "\n" + parts[3]
		})
		switch {
		case page.text == want:
		case *update:
			if err := os.WriteFile(filepath.Join(root, page.path), []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s is out of date; run go test ./cmd/mabeam-top -run InDocs -update", page.path)
		}
	}
}

// goDeclarations returns declarations of a Go file as a code block.
func goDeclarations(t *testing.T, path string, names []string) string {
	t.Helper()
	source := readSourceFile(t, path)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, name := range names {
		i := slices.IndexFunc(file.Decls, func(d ast.Decl) bool { return declares(d, name) })
		if i < 0 {
			t.Fatalf("%s does not declare %s", path, name)
		}
		from, to := file.Decls[i].Pos(), file.Decls[i].End()
		if doc := docOf(file.Decls[i]); doc != nil {
			from = doc.Pos()
		}
		texts = append(texts, source[files.Position(from).Offset:files.Position(to).Offset])
	}
	return "```go\n" + strings.Join(texts, "\n\n") + "\n```\n"
}

// declares reports whether a declaration is that of a function, method or type.
func declares(d ast.Decl, name string) bool {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return d.Name.Name == name
	case *ast.GenDecl:
		return slices.ContainsFunc(d.Specs, func(s ast.Spec) bool {
			spec, ok := s.(*ast.TypeSpec)
			return ok && spec.Name.Name == name
		})
	}
	return false
}

func docOf(d ast.Decl) *ast.CommentGroup {
	if f, ok := d.(*ast.FuncDecl); ok {
		return f.Doc
	}
	return d.(*ast.GenDecl).Doc
}

// A table is a Markdown table: its head and its rows.
type table [][]string

func (rows table) String() string {
	var b strings.Builder
	for i, row := range rows {
		cells := make([]string, len(row))
		for j, cell := range row {
			cells[j] = strings.ReplaceAll(strings.ReplaceAll(cell, "\n", " "), "|", `\|`)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat(" --- |", len(row)) + "\n")
		}
	}
	return b.String()
}

func code(text string) string { return "`" + text + "`" }

// sentence ends a text with a full stop.
func sentence(text string) string {
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
