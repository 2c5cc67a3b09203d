package main

import (
	"bytes"
	"cmp"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mabeam-top/internal/stress/scenario"
)

var update = flag.Bool("update", false, "write the generated parts of the documentation")

// root is the root of the repository, seen from this package.
const root = "../.."

// A page is one Markdown file of the documentation.
type page struct {
	path string // relative to root, with slashes
	text string
}

// documentation returns README.md and every page in docs.
func documentation(t *testing.T) []page {
	t.Helper()
	paths := []string{"README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages := make([]page, len(paths))
	for i, path := range paths {
		pages[i] = page{path, readSourceFile(t, path)}
	}
	return pages
}

// readSourceFile returns a file of the repository as text.
func readSourceFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a command line and returns its standard output.
func output(t *testing.T, args ...string) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(args, strings.NewReader(""), &stdout, &stderr); code != exitOK {
		t.Fatalf("%v: exit code %d: %s", args, code, stderr.Bytes())
	}
	return stdout.Bytes()
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence        = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	heading      = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// slug is the anchor of a heading.
func slug(heading string) string {
	return regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(strings.ReplaceAll(heading, " ", "-")), "")
}

// Every link leads to a file and a heading that exist.
func TestLinksInDocs(t *testing.T) {
	pages := documentation(t)
	anchors := map[string][]string{}
	for _, p := range pages {
		for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			anchors[p.path] = append(anchors[p.path], slug(h[1]))
		}
	}
	for _, p := range pages {
		for _, target := range links(p) {
			path, anchor, _ := strings.Cut(target, "#")
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: the link to %s: %v", p.path, target, err)
			} else if anchor != "" && !slices.Contains(anchors[path], anchor) {
				t.Errorf("%s: %s has no heading #%s", p.path, path, anchor)
			}
		}
	}
}

// links returns the files of the repository that a page links to, relative to
// the root, with their anchors.
func links(p page) []string {
	var targets []string
	for _, link := range markdownLink.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		path, anchor, _ := strings.Cut(link[1], "#")
		switch {
		case strings.Contains(link[1], "://"):
			continue
		case path == "":
			path = p.path
		default:
			path = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), path))
		}
		if anchor != "" {
			path += "#" + anchor
		}
		targets = append(targets, path)
	}
	return targets
}

// Every page is two clicks from README.md, through the index, and can be read
// in one go unless it is for reference.
func TestPagesInDocs(t *testing.T) {
	pages := documentation(t)
	index := slices.IndexFunc(pages, func(p page) bool { return p.path == "docs/README.md" })
	var listed []string
	for _, target := range append(links(pages[0]), links(pages[index])...) {
		path, _, _ := strings.Cut(target, "#")
		listed = append(listed, path)
	}
	for _, p := range pages[1:] {
		if !slices.Contains(listed, p.path) {
			t.Errorf("%s is linked to neither by README.md nor by docs/README.md", p.path)
		}
		if n := strings.Count(p.text, "\n"); n > 260 && !strings.HasPrefix(p.path, "docs/reference/") {
			t.Errorf("%s has %d lines", p.path, n)
		}
	}
}

// Every scenario in the documentation is valid.
func TestScenariosInDocs(t *testing.T) {
	for _, p := range documentation(t) {
		for _, block := range fence.FindAllStringSubmatch(p.text, -1) {
			if block[1] != "yaml" || !strings.Contains(block[2], "\nsteps:") {
				continue
			}
			if _, err := parse([]scenario.Document{{File: p.path, Source: []byte(block[2])}}); err != nil {
				t.Errorf("%v\n%s", err, block[2])
			}
		}
	}
}

var (
	commandLine = regexp.MustCompile(`(?m)^(?:[A-Z_]+=\S+ )*(?:\./|\$ )?(mabeam-top .*)$`)
	inlineCode  = regexp.MustCompile("`(mabeam-top [^`]+)`")
	scenarioKey = regexp.MustCompile(`(?m)^name: (\S+)$`)
)

// Every command line in the documentation has commands, flags and scenarios
// that exist.
func TestCommandsInDocs(t *testing.T) {
	pages := documentation(t)
	scenarios, err := parse(builtin())
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, s := range scenarios {
		known = append(known, s.Name)
	}
	for _, p := range pages {
		for _, name := range scenarioKey.FindAllStringSubmatch(p.text, -1) {
			known = append(known, name[1])
		}
	}
	for _, p := range pages {
		var lines []string
		for _, block := range fence.FindAllStringSubmatch(p.text, -1) {
			for _, line := range commandLine.FindAllStringSubmatch(block[2], -1) {
				lines = append(lines, line[1])
			}
		}
		for _, span := range inlineCode.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
			lines = append(lines, span[1])
		}
		for _, line := range lines {
			if problem := commandProblem(line, known); problem != "" {
				t.Errorf("%s: %s: %s", p.path, line, problem)
			}
		}
	}
}

// commandProblem says what is wrong with a command line, if anything is.
func commandProblem(line string, scenarios []string) string {
	words := strings.Fields(line)[1:]
	if end := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w[:1], "#|>&;(\\") }); end >= 0 {
		words = words[:end]
	}
	cmd := (&app{}).rootCommand()
	if len(words) > 0 {
		if i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == words[0] }); i >= 0 {
			cmd, words = cmd.Commands()[i], words[1:]
		}
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	for i := 0; i < len(words); i++ {
		word := words[i]
		name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
		flag := cmd.Flags().Lookup(name)
		if len(name) == 1 {
			flag = cmp.Or(flag, cmd.Flags().ShorthandLookup(name))
		}
		switch {
		case len(word) > 1 && word[0] == '-' && flag == nil:
			return "there is no flag " + word
		case len(word) > 1 && word[0] == '-':
			if flag.Value.Type() != "bool" && !hasValue {
				i++
			}
		case !cmd.HasParent() && !slices.Contains(scenarios, word) && strings.ToUpper(word) != word && word[0] != '[':
			return "there is no scenario " + word
		}
	}
	return ""
}

// The reference of the report and of the event stream names every key of their
// schemas, and the reference of keys every key of the screen.
func TestNamesInDocs(t *testing.T) {
	names := func(path, text string, all []string) {
		if len(all) == 0 {
			t.Errorf("%s: nothing to look for", path)
		}
		for _, name := range all {
			if !strings.Contains(text, code(name)) {
				t.Errorf("%s does not name %s", path, code(name))
			}
		}
	}
	for _, kind := range []string{"report", "events"} {
		path := "docs/reference/" + kind + ".md"
		var found []string
		s := schemaOf(t, kind)
		for _, def := range append(slices.Collect(maps.Values(s.Defs)), s) {
			found = append(found, slices.Collect(maps.Keys(def.Properties))...)
			for _, value := range def.Properties["type"].Enum {
				found = append(found, value.(string))
			}
		}
		slices.Sort(found)
		names(path, readSourceFile(t, path), slices.Compact(found))
	}
	keys := map[string]bool{}
	bound := regexp.MustCompile(`\b[bB]ind\("([^"]+)", "`)
	err := fs.WalkDir(os.DirFS(root), "internal/ui", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			for _, key := range bound.FindAllStringSubmatch(readSourceFile(t, path), -1) {
				keys[key[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names("docs/reference/keys.md", readSourceFile(t, "docs/reference/keys.md"), slices.Sorted(maps.Keys(keys)))
}

// The table of planted defects has each of them, with what its patch says of it.
func TestPlantedDefectsInDocs(t *testing.T) {
	const path = "docs/reference/planted-defects.md"
	text := readSourceFile(t, path)
	patches, err := filepath.Glob(filepath.Join(root, "internal/stress/measure/testdata/defects/*.patch"))
	if err != nil || len(patches) == 0 {
		t.Fatalf("no patches: %v", err)
	}
	for _, patch := range patches {
		name := strings.TrimSuffix(filepath.Base(patch), ".patch")
		source, err := os.ReadFile(patch)
		if err != nil {
			t.Fatal(err)
		}
		line, _, _ := strings.Cut(string(source), "\n")
		row := regexp.MustCompile("(?m)^\\| `" + name + "` \\| (.*?) \\|")
		if !row.MatchString(text) {
			t.Errorf("%s does not list %s", path, name)
		}
		text = row.ReplaceAllLiteralString(text, "| `"+name+"` | "+strings.TrimPrefix(line, "defect: ")+" |")
	}
	switch {
	case text == readSourceFile(t, path):
	case *update:
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is out of date; run go test ./cmd/mabeam-top -run InDocs -update", path)
	}
}

// Every example that the documentation names exists, in some package.
func TestExamplesInDocs(t *testing.T) {
	declared := map[string]bool{}
	err := fs.WalkDir(os.DirFS(root), "internal", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, f := range exampleFunction.FindAllStringSubmatch(readSourceFile(t, path), -1) {
				declared[f[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range documentation(t) {
		for _, name := range exampleName.FindAllStringSubmatch(p.text, -1) {
			if !declared[name[1]] {
				t.Errorf("%s: there is no %s", p.path, name[1])
			}
		}
	}
}

var (
	exampleFunction = regexp.MustCompile(`(?m)^func (Example\w*)\(\)`)
	exampleName     = regexp.MustCompile("`(Example\\w+)`")
)
