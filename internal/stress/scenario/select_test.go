package scenario

import (
	"strings"
	"testing"
)

func TestSelect(t *testing.T) {
	scenarios := []Scenario{
		{Name: "creation", Tags: []string{"baseline", "agents"}},
		{Name: "storm", Tags: []string{"events"}},
		{Name: "lifecycle", Tags: []string{"baseline", "agents"}},
	}
	for name, c := range map[string]struct {
		names, tags []string
		want        string // names, or the error's lines
	}{
		"nothing":                        {want: ""},
		"in the order of the names":      {names: []string{"lifecycle", "creation"}, want: "lifecycle creation"},
		"in the catalogue's order":       {tags: []string{"agents"}, want: "creation lifecycle"},
		"names before tags, each once":   {names: []string{"lifecycle", "storm", "lifecycle"}, tags: []string{"agents", "baseline"}, want: "lifecycle storm creation"},
		"a misspelt name":                {names: []string{"strom"}, want: `unknown scenario "strom"; did you mean "storm"?`},
		"a misspelt tag":                 {tags: []string{"baselin"}, want: `no scenario has the tag "baselin"; did you mean "baseline"?`},
		"a name that is not like any":    {names: []string{"xxxxxxxxx"}, want: `unknown scenario "xxxxxxxxx"; expected one of creation, storm, lifecycle`},
		"a tag is no name":               {names: []string{"events"}, want: `unknown scenario "events"; expected one of creation, storm, lifecycle`},
		"everything that is wrong":       {names: []string{"storm", "stor"}, tags: []string{"agent"}, want: "unknown scenario \"stor\"; did you mean \"storm\"?\nno scenario has the tag \"agent\"; did you mean \"agents\"?"},
		"a name that is empty is no one": {names: []string{""}, want: `unknown scenario ""; expected one of creation, storm, lifecycle`},
	} {
		selected, err := Select(scenarios, c.names, c.tags)
		got := strings.Join(scenarioNames(selected), " ")
		if err != nil {
			got += err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
