package scenario

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema(testCatalogue)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("scenario.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// yamlDocuments returns the documents of a file as an editor sees them.
func yamlDocuments(t *testing.T, source []byte) []any {
	t.Helper()
	var documents []any
	decoder := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(source, []byte("\ufeff"))))
	for {
		var document any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return documents
		} else if err != nil {
			t.Fatal(err)
		}
		if document != nil {
			documents = append(documents, document)
		}
	}
}

func TestSchemaAcceptsFixtures(t *testing.T) {
	compiled := compiledSchema(t)
	for _, path := range fixtures(t, "good") {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range yamlDocuments(t, source) {
			if err := compiled.Validate(document); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		scenarios, err := parseFile(t, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenarios {
			for _, document := range yamlDocuments(t, Show(s)) {
				if err := compiled.Validate(document); err != nil {
					t.Errorf("%s as shown: %v", filepath.Base(path), err)
				}
			}
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	compiled := compiledSchema(t)
	const head = "name: a\ntitle: A\n"
	if err := compiled.Validate(yamlDocuments(t, []byte(head+"steps: [{measure: kinds}]"))[0]); err != nil {
		t.Fatalf("the others are refused for nothing: %v", err)
	}
	for _, source := range []string{
		head,
		"name: A b\ntitle: A\nsteps: [{measure: kinds}]",
		head + "steps: []",
		head + "steps: [{measure: knids}]",
		head + "steps: [{measure: kinds, repeets: 3}]",
		head + "steps: [{measure: kinds, repeat: 0}]",
		head + "steps: [{measure: kinds, with: {agents: 3}}]",
		head + "steps: [{measure: kinds, with: {wait: 5}}]",
		head + "steps: [{measure: kinds, with: {rate: 5}}]",
		head + "steps: [{measure: kinds, with: {mode: fats}}]",
		head + "steps: [{measure: kinds, with: {mix: {pnig: 1%}}}]",
		head + "steps: [{measure: kinds, with: {scenarios: [{agnets: 1}]}}]",
		head + "steps: [{measure: kinds, with: {stages: [{rate: 5/s}]}}]",
		head + "steps: [{measure: agent-creation, with: {agents: many}}]",
		head + "steps: [{measure: kinds, thresholds: {latency: < 5}}]",
		head + "steps: [{measure: kinds, thresholds: {latency_ms.p98: < 5}}]",
		head + "steps: [{measure: kinds, thresholds: {latency_ms: < 5ms}}]",
		head + "steps: [{measure: kinds, thresholds: {latency_ms: {window: 1s}}}]",
		head + "steps: [{parallel: [{measure: knids}]}]",
		head + "steps: [{parallel: [{measure: kinds}], name: x}]",
		head + "steps: [{measure: kinds}]\nsystem: {bus_policy: drop}",
		head + "steps: [{measure: kinds}]\nfoo: 1",
	} {
		if err := compiled.Validate(yamlDocuments(t, []byte(source))[0]); err == nil {
			t.Errorf("accepted:\n%s", source)
		}
	}
}
