package ui

import (
	"strings"
	"testing"
)

// The help lists every key that works, with longer texts where there is room.
func TestHelp(t *testing.T) {
	st := steered(t)
	for _, size := range [][2]int{{200, 60}, {120, 40}, {80, 24}} {
		st.size(size[0], size[1])
		for _, tab := range []string{"1", "2"} {
			st.press(tab)
			actions := st.m.actions()
			st.press("?")
			for _, a := range actions {
				if h := a.Key; h.Name() != "" && !strings.Contains(st.m.View(), h.Name()+" ") {
					t.Errorf("%v: %s (%s) is not listed:\n%s", size, h.Name(), h.Short(), st.m.View())
				}
			}
			st.press("?")
		}
	}
	st.size(120, 40).press("1", "?")
	for _, want := range []string{"Decrease / increase the offered load by 10 %", "Moment marked with m"} {
		if !strings.Contains(st.m.View(), want) {
			t.Errorf("%q is not in\n%s", want, st.m.View())
		}
	}
}
