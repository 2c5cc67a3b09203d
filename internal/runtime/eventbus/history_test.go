package eventbus

import "testing"

// A publisher that is a whole round late does not replace what is newer.
func TestHistoryKeepsTheNewer(t *testing.T) {
	h := newHistory(historyPage)
	h.put(1+historyPage, &Event{Type: "newer"})
	h.put(1, &Event{Type: "older"})
	if got := h.newest(1+historyPage, 1); len(got) != 1 || got[0].Type != "newer" {
		t.Errorf("%+v", got)
	}
}
