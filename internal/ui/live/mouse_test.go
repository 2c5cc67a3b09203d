package live

import (
	"strings"
	"testing"

	"mabeam-top/internal/ui/chart"
)

func TestMouse(t *testing.T) {
	t.Run("a click opens a tab", func(t *testing.T) {
		for _, size := range [][2]int{{120, 40}, {60, 20}} {
			st := steered(t)
			st.size(size[0], size[1])
			for i, name := range tabNames {
				x, y := st.find(name)
				st.click(x, y)
				if st.tab != tab(i) {
					t.Errorf("%v: %s is not opened", size, name)
				}
			}
		}
	})
	t.Run("a click puts the focus on a panel, another expands it", func(t *testing.T) {
		st := steered(t)
		x, y := st.find("Memory")
		st.click(x, y+3)
		if st.focus() != memoryChart || st.expanded {
			t.Fatalf("focus on %v, expanded %v", st.focus(), st.expanded)
		}
		st.click(x, y+3)
		if !st.expanded {
			t.Error("not expanded")
		}
		st.click(20, 20)
		if st.expanded {
			t.Error("not shrunk")
		}
		st.click(st.find("Verdicts ─"))
		if st.focus() != verdictPanel {
			t.Error("no focus on the verdicts")
		}
	})
	t.Run("the wheel zooms a chart and scrolls a list", func(t *testing.T) {
		st := steered(t)
		x, y := st.find("Latency")
		st.wheel(x, y+3, -1)
		if at := st.span(); at != (chart.Span{From: 5, To: 20}) {
			t.Errorf("zoomed to %v", at)
		}
		st.wheel(x, y+3, 1)
		if at := st.span(); at != (chart.Span{From: 0, To: 20}) {
			t.Errorf("zoomed to %v", at)
		}
		st.size(80, 24)
		x, y = st.find("Verdicts ─")
		before := st.verdicts.scroll.Offset
		st.wheel(x, y+1, -1)
		if after := st.verdicts.scroll.Offset; after >= before {
			t.Errorf("scrolled from %d to %d", before, after)
		}
	})
	t.Run("a click selects an agent, another opens it", func(t *testing.T) {
		st := steered(t)
		st.press("2")
		x, y := st.find("a_0007")
		st.click(x, y)
		if !strings.Contains(st.view(), "▸a_0007") {
			t.Fatalf("not selected:\n%s", st.view())
		}
		st.click(x, y)
		if st.agents.detail != "a_0007" {
			t.Error("not opened")
		}
	})
}
