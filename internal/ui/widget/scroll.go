package widget

// A Scroller is the position in a list that is longer than its panel. Until
// somebody moves it, it shows what the list thinks best.
type Scroller struct {
	Offset int
	Held   bool
}

// Show returns the first row to show of n where there is room for some; best is
// the one that it shows by itself.
func (sc *Scroller) Show(n, room, best int) int {
	if !sc.Held {
		sc.Offset = best
	}
	sc.Offset = min(max(sc.Offset, 0), max(n-room, 0))
	return sc.Offset
}

// Move goes by rows from what was shown last. What is too far is taken back
// when it is shown.
func (sc *Scroller) Move(by int) {
	sc.Offset, sc.Held = sc.Offset+by, true
}
