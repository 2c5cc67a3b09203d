package conformance

import (
	"slices"
	"testing"

	mabeam "mabeam-top/internal/runtime"
	"mabeam-top/internal/runtime/agents"
)

// Groups whose reported times exceed the whole start are detected.
func TestStartTimesFitInto(t *testing.T) {
	parts := []mabeam.ComponentStart{{Component: "a", Group: "1", Took: 3}, {Component: "b", Group: "1", Took: 4}, {Component: "c", Group: "2", Took: 5}}
	if !fitsInto(parts, 9) || fitsInto(parts, 8) {
		t.Error("4 + 5 do not fit into 9, or fit into 8")
	}
}

// A component whose start is not reported, or reported twice, is missing.
func TestMissingComponents(t *testing.T) {
	if missing := MissingComponents(nil); !slices.Equal(missing, Components) {
		t.Errorf("of a system that reports nothing, %v are missing", missing)
	}
	var parts []mabeam.ComponentStart
	for _, name := range Components[1:] {
		parts = append(parts, mabeam.ComponentStart{Component: name})
	}
	parts = append(parts, parts[0])
	if missing := MissingComponents(parts); !slices.Equal(missing, Components[:2]) {
		t.Errorf("missing are %v, want %v", missing, Components[:2])
	}
}

// A limit may leave no room for an agent.
func TestComponentsOfAFullSystem(t *testing.T) {
	for limit, room := range map[int]bool{1: false, 2: true} {
		system := startTestSystem(t, mabeam.Options{MaxAgents: limit})
		if _, err := system.StartAgent(t.Context(), agents.Demo()); err != nil {
			t.Error(err)
		}
		if got := useComponents(t.Context(), system, NewChecker(nil, "")); got != room {
			t.Errorf("with a limit of %d there is room: %v", limit, got)
		}
	}
}
