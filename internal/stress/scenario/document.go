package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// MaxSource limits the size of a scenario file, in bytes: the time of the YAML parser grows
// with the square of the nesting of a document.
const MaxSource = 256 << 10

// A Document is the text of one scenario file.
type Document struct {
	// File is its name in problems and reports.
	File   string
	Source []byte
}

// A shape is the type of a YAML value, before it is known what it should be.
type shape int

const (
	// broken is a value with a problem that is already reported.
	broken shape = iota
	empty
	text
	integer
	decimal
	boolean
	sequence
	mapping
)

// A node is a value of a YAML document. Scalars keep their text, so a number is converted
// once, by the code that knows its kind.
type node struct {
	position
	shape   shape
	text    string
	items   []*node
	entries []entry
}

// An entry is a key of a mapping, with its position and its value.
type entry struct {
	position
	key   string
	value *node
}

// Only plain decimal numbers are numbers. What is a number to some readers of YAML and not
// to others (017, 0x1F, 1_000) is text.
var (
	integerForm = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	decimalForm = regexp.MustCompile(`^[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)$`)
	booleanForm = regexp.MustCompile(`^(true|True|TRUE|false|False|FALSE)$`)
	emptyForm   = regexp.MustCompile(`^(|~|null|Null|NULL)$`)
)

// maxNesting limits the nesting of brackets: the time of the parser grows with the square
// of their depth.
const maxNesting = 64

// tooDeep returns where brackets are nested too deeply, or -1. It also counts brackets in
// quotes, where nobody has that many.
func tooDeep(source []byte) int {
	depth := 0
	for i, c := range source {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if depth > maxNesting {
			return i
		}
	}
	return -1
}

// lineAndColumn returns the position of a byte.
func lineAndColumn(source []byte, at int) (line, column int) {
	start := bytes.LastIndexByte(source[:at], '\n') + 1
	return bytes.Count(source[:at], []byte("\n")) + 1, utf8.RuneCount(source[start:at]) + 1
}

// documents reads the YAML documents of a source, without the empty ones.
func (l *problemList) documents(source []byte) []*node {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	if len(source) > MaxSource {
		l.add(position{1, 1}, "the file is larger than %d bytes; split it", MaxSource)
		return nil
	}
	if at := tooDeep(source); at >= 0 {
		line, column := lineAndColumn(source, at)
		l.add(position{line, column}, "brackets are nested more than %d deep; remove some", maxNesting)
		return nil
	}
	if at := invalidUTF8(source); at >= 0 {
		line, column := lineAndColumn(source, at)
		l.add(position{line, column}, "the file is not UTF-8 from here on; save it as UTF-8")
		return nil
	}
	// Duplicate keys are allowed here; keys reports all of them.
	file, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		l.unparsable(err)
		return nil
	}
	var documents []*node
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		if n := l.node(document.Body); n.shape != empty {
			documents = append(documents, n)
		}
	}
	return documents
}

func invalidUTF8(source []byte) int {
	for i := 0; i < len(source); {
		r, size := utf8.DecodeRune(source[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

// unparsable adds the problem at which the YAML parser gave up.
func (l *problemList) unparsable(err error) {
	at, message := position{1, 1}, err.Error()
	var problem yaml.Error
	if errors.As(err, &problem) {
		at, message = positionOf(problem.GetToken()), problem.GetMessage()
	}
	if strings.HasPrefix(message, "invalid header option") {
		message += `; a text that begins with > or | must be in quotes, such as ">= 5"`
	}
	l.add(at, "not YAML: %s", message)
}

func positionOf(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{t.Position.Line, t.Position.Column}
}

// node converts the parser's tree. It refuses the parts of YAML that scenario files do not
// use.
func (l *problemList) node(from ast.Node) *node {
	n := &node{position: positionOf(from.GetToken())}
	switch from := from.(type) {
	case *ast.MappingNode:
		n.shape = mapping
		n.entries = make([]entry, 0, len(from.Values))
		for _, value := range from.Values {
			if e, ok := l.entry(value); ok {
				n.entries = append(n.entries, e)
			}
		}
		// The token of a block mapping is its first colon; its first key is a better
		// position.
		if !from.IsFlowStyle && len(from.Values) > 0 {
			n.position = positionOf(from.Values[0].Key.GetToken())
		}
	case *ast.SequenceNode:
		n.shape = sequence
		for _, value := range from.Values {
			n.items = append(n.items, l.node(value))
		}
	case *ast.LiteralNode:
		n.shape, n.text = text, from.Value.Value
	case *ast.StringNode:
		n.shape, n.text = text, from.Value
		if from.Token.Type != token.SingleQuoteType && from.Token.Type != token.DoubleQuoteType {
			n.shape = shapeOf(n.text)
		}
	case *ast.AnchorNode:
		l.add(n.position, "anchors (&) are not supported; write the value where it is used")
		return l.node(from.Value)
	case *ast.AliasNode:
		l.add(n.position, "aliases (*) are not supported; write the value")
	case *ast.TagNode:
		l.add(n.position, "tags (!) are not supported; a text that begins with ! must be in quotes, such as \"!= 5\"")
	case *ast.DirectiveNode:
		l.add(n.position, "directives (%%) are not supported; remove the line")
	case *ast.NullNode:
		n.shape = empty
	case ast.ScalarNode:
		n.text = from.GetToken().Value
		n.shape = shapeOf(n.text)
	case *ast.CommentGroupNode:
		n.shape = empty
	default:
		l.add(n.position, "unexpected %s; remove it", strings.ToLower(from.Type().String()))
	}
	return n
}

func (l *problemList) entry(from *ast.MappingValueNode) (entry, bool) {
	at := positionOf(from.Key.GetToken())
	switch key := from.Key.(type) {
	case *ast.MergeKeyNode:
		l.add(at, "merge keys (<<) are not supported; write the keys")
		return entry{}, false
	case ast.ScalarNode:
		return entry{position: at, key: key.GetToken().Value, value: l.node(from.Value)}, true
	default:
		l.add(at, "a key must be a plain word; write KEY: VALUE")
		return entry{}, false
	}
}

// shapeOf returns the shape of a scalar without quotes.
func shapeOf(plain string) shape {
	switch {
	case emptyForm.MatchString(plain):
		return empty
	case booleanForm.MatchString(plain):
		return boolean
	case integerForm.MatchString(plain):
		return integer
	case decimalForm.MatchString(plain):
		return decimal
	}
	return text
}

// describe describes a node, to follow "expected …, not".
func (n *node) describe() string {
	switch n.shape {
	case empty:
		return "an empty value"
	case sequence:
		if len(n.items) == 0 {
			return "an empty list"
		}
		return "a list"
	case mapping:
		return "a mapping"
	case text:
		return fmt.Sprintf("the text %q", shorten(n.text))
	default:
		return shorten(n.text)
	}
}

func shorten(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// keys returns the entries of a mapping by key. It adds a problem for each key that is
// unknown or a duplicate. The noun names the mapping, such as "a step".
func (l *problemList) keys(n *node, noun string, known []string) map[string]entry {
	found := make(map[string]entry, len(n.entries))
	for _, e := range n.entries {
		first, duplicate := found[e.key]
		switch {
		case !slices.Contains(known, e.key):
			l.add(e.position, "unknown key %q in %s%s", shorten(e.key), noun, didYouMean(e.key, known))
		case duplicate:
			l.add(e.position, "duplicate key %q, first on line %d; remove one", e.key, first.line)
		default:
			found[e.key] = e
		}
	}
	return found
}
