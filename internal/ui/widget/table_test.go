package widget

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mabeam-top/internal/ui/theme"
)

func TestTable(t *testing.T) {
	table := Table{Indent: 1, Columns: []Column{
		{Title: "name", Width: 4, Most: 8},
		{Title: "a", Gap: 1, Width: 3, Right: true, Rank: 1},
		{Title: "b", Gap: 1, Width: 6, Rank: 2},
		{Title: "c", Gap: 1, Width: 2, Rank: 3},
	}}
	row := Row{Cells: []string{"long name", "1", "two", "3"}, Note: "a note"}
	for _, test := range []struct {
		width  int
		greedy bool
		want   string
	}{
		{32, false, " long na…   1 two    3   a note"},
		{19, false, " lon…   1 two    3 \n      a note"},
		{17, false, " long…   1 two   \n       a note"},
		{14, false, " long na…   1\n          a\n          note"},
		{12, true, " lon…   1 3 \n      a note"},
	} {
		table.Greedy = test.greedy
		if got := strings.Join(table.Fit(test.width).Row(theme.Plain(false), row), "\n"); got != test.want {
			t.Errorf("width %d, greedy %v:\n%q, want\n%q", test.width, test.greedy, got, test.want)
		}
	}
	l := table.Fit(19)
	if got := l.Heading(theme.Plain(false)); got != " name   a b      c " {
		t.Errorf("heading %q", got)
	}
	if got := l.Row(theme.Plain(false), Row{Cells: row.Cells, Selected: true})[0]; got != "▸lon…   1 two    3 " {
		t.Errorf("selected %q", got)
	}
	if got := l.Row(theme.Plain(false), Row{Cells: []string{"FAIL"}, Text: "for a reason"})[0]; got != " FAIL for a reason" {
		t.Errorf("with a text %q", got)
	}
}

func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, room := rapid.IntRange(1, 50).Draw(t, "n"), rapid.IntRange(1, 30).Draw(t, "room")
		at := rapid.IntRange(0, n-1).Draw(t, "at")
		s := Scroll{Offset: rapid.IntRange(-5, 60).Draw(t, "offset"), Moved: rapid.Bool().Draw(t, "moved")}
		for name, window := range map[string]func() (int, int){
			"Window":        func() (int, int) { return Window(n, room, at) },
			"Scroll.Reveal": func() (int, int) { return s.Reveal(n, room, at) },
			"Scroll.Window": func() (int, int) { return s.Window(n, room, at) },
		} {
			from, to := window()
			if from < 0 || to > n || to-from != min(n, room) {
				t.Fatalf("%s shows %d to %d of %d in %d rows", name, from, to, n, room)
			}
			if name != "Scroll.Window" && (at < from || at >= to) {
				t.Fatalf("%s shows %d to %d, without %d", name, from, to, at)
			}
		}
	})
}
