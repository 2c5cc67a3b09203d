package ui

import (
	"strings"
	"testing"
)

// The help tells every key that works, with more words where there is room.
func TestHelp(t *testing.T) {
	st, _ := steered(t)
	for _, size := range [][2]int{{200, 60}, {120, 40}, {80, 24}} {
		st.size(size[0], size[1])
		for _, tab := range []string{"1", "2"} {
			st.press(tab)
			actions := st.m.actions()
			st.press("?")
			for _, a := range actions {
				if h := a.key.Help(); h.Key != "" && !strings.Contains(st.m.View(), h.Key+" ") {
					t.Errorf("%v: %s (%s) is not told:\n%s", size, h.Key, h.Desc, st.m.View())
				}
			}
			st.press("?")
		}
	}
	st.size(120, 40).press("1", "?")
	for _, want := range []string{"load: 10 % less, or more, of what the scenario asks for", "marked with m"} {
		if !strings.Contains(st.m.View(), want) {
			t.Errorf("%q is not in\n%s", want, st.m.View())
		}
	}
}
