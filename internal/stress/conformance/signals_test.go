package conformance

import (
	"testing"

	mabeam "mabeam-top/internal/runtime"
)

func TestCompareSequence(t *testing.T) {
	for _, c := range []struct {
		got, due       []int
		lost, disorder int64
	}{
		{nil, nil, 0, 0},
		{[]int{1, 2, 3}, []int{1, 2, 3}, 0, 0},
		{[]int{1, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{1, 2, 2, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{1, 9, 2, 3}, []int{1, 2, 3}, 1, 0},
		{[]int{2, 1, 3}, []int{1, 2, 3}, 0, 1},
		{nil, []int{1, 2, 3}, 3, 0},
	} {
		if lost, disorder := compareSequence(c.got, c.due); lost != c.lost || disorder != c.disorder {
			t.Errorf("%v of %v: %d lost and %d out of order, want %d and %d", c.got, c.due, lost, disorder, c.lost, c.disorder)
		}
	}
}

// Signals are due by priority, and by the order of sending within a priority.
func TestCompareSignals(t *testing.T) {
	signal := func(n int, p mabeam.Priority) mabeam.Signal { return mabeam.Signal{Data: n, Priority: p} }
	sent := []mabeam.Signal{signal(0, mabeam.Low), signal(1, mabeam.Normal), signal(2, mabeam.High), signal(3, mabeam.High)}
	if lost, disorder := compareSignals([]mabeam.Signal{sent[2], sent[3], sent[1], sent[0]}, sent); lost != 0 || disorder != 0 {
		t.Errorf("by priority: %d lost, %d out of order", lost, disorder)
	}
	if lost, disorder := compareSignals(sent, sent); lost != 0 || disorder == 0 {
		t.Errorf("as sent: %d lost, %d out of order", lost, disorder)
	}
}
