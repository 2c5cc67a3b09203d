package diagnostic

import "testing"

func TestHistory(t *testing.T) {
	var h History
	slow := Warning{"subscriber s1", 3, "slow for 2 s"}
	h.Add([]Warning{slow}, 5)
	slow.Since, slow.Text = 3.1, "slow for 4 s"
	h.Add([]Warning{slow, {"backlog", 6, "grows"}}, 7)
	h.Add([]Warning{{"backlog", 6, "grows more"}}, 9)
	h.Add(nil, 11)
	h.Add([]Warning{{"subscriber s1", 12, "slow again"}}, 13)
	want := []Entry{
		{Warning{"subscriber s1", 3, "slow for 4 s"}, 7, true},
		{Warning{"backlog", 6, "grows more"}, 9, true},
		{Warning{"subscriber s1", 12, "slow again"}, 13, false},
	}
	if len(h.All) != len(want) || len(h.Now) != 1 {
		t.Fatalf("%+v", h)
	}
	for i, n := range h.All {
		if n != want[i] {
			t.Errorf("%+v, want %+v", n, want[i])
		}
	}
	for i := range 3 * maxEntries {
		h.Add([]Warning{{string(rune('a' + i%2)), float64(i), "x"}}, float64(i))
	}
	if len(h.All) != maxEntries {
		t.Errorf("%d warnings are kept", len(h.All))
	}
}
