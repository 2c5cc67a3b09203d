package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	for _, path := range fixtures(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			scenarios, err := parseFile(t, path)
			if err != nil {
				t.Fatal(err)
			}
			shown := make([]string, len(scenarios))
			for i, s := range scenarios {
				shown[i] = string(Show(s))
				roundTrip(t, s)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".shown", strings.Join(shown, "---\n"))
		})
	}
}

// roundTrip fails unless what is shown of a scenario parses to it again, and its JSON
// decodes to it.
func roundTrip(t *testing.T, s Scenario) {
	t.Helper()
	shown := Show(s)
	again, err := Parse(testCatalogue, testComponents, Document{File: s.File, Source: shown})
	if err != nil {
		t.Fatalf("what is shown does not parse: %v\n%s", err, shown)
	}
	if len(again) != 1 || !reflect.DeepEqual(again[0], s) {
		t.Fatalf("what is shown parses to something else:\n%+v\nwant\n%+v\nshown\n%s", again, s, shown)
	}
	if second := Show(again[0]); !bytes.Equal(second, shown) {
		t.Fatalf("the second showing differs:\n%s\nfirst:\n%s", second, shown)
	}
	jsonRoundTrip(t, testCatalogue, Plan{Scenarios: []Scenario{s}})
}

func TestEncode(t *testing.T) {
	scenarios, err := parseFile(t, "testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	step := scenarios[0].Groups[0][0]
	got, err := json.MarshalIndent(Encode(step.Params, step.Measurement.Params), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/encoded.json", string(got)+"\n")
}

func FuzzParse(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no seeds in testdata/%s (%v)", folder, err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(source)
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		scenarios, err := Parse(testCatalogue, testComponents, Document{File: "fuzz.yaml", Source: source})
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("the error is a %T with %d problems", err, len(problems))
			}
			for _, problem := range problems {
				if problem.Line < 1 || problem.Column < 1 || problem.Message == "" {
					t.Errorf("the problem is %+v", problem)
				}
			}
			return
		}
		for _, s := range scenarios {
			roundTrip(t, s)
		}
	})
}
