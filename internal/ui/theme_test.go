package ui

import (
	"slices"
	"strings"
	"testing"

	"mabeam-top/internal/ui/theme"
)

func TestThemeKey(t *testing.T) {
	st := running(t)
	var seen []string
	for range len(theme.Names()) + 1 {
		seen = append(seen, st.m.host.Theme.Name)
		st.press("t")
		if !strings.Contains(st.m.View(), "theme "+st.m.host.Theme.Name) {
			t.Errorf("the screen does not name the theme %s", st.m.host.Theme.Name)
		}
	}
	if want := append(theme.Names(), theme.Names()[0]); !slices.Equal(seen, want) {
		t.Errorf("the key went through %v, want %v", seen, want)
	}
}

func TestThemeOfTheConfig(t *testing.T) {
	for _, name := range theme.Names() {
		if got := newStage(t, Config{Theme: name}).m.host.Theme.Name; got != name {
			t.Errorf("asked for %s, got %s", name, got)
		}
	}
}
