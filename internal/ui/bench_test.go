package ui

import (
	"fmt"
	"testing"

	tea "github.com/charmbracelet/bubbletea"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/uitest"
)

// A frame has to cost less than 7.5 ms at 120×40 for the screen to take under
// 3 % of one core at four frames a second.
func BenchmarkFrame(b *testing.B) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			st := stageFor(b, Config{Start: []string{"event-storm"}, Color: "always"})
			st.size(size[0], size[1]).until(1000)
			// Two minutes of history, as dense as it gets.
			events := uitest.Script()
			last := st.feed.Timeline.Snapshot().T
			for i := range 1200 {
				e := events[len(events)/2+i%100]
				e.T = last + float64(i)/10
				st.feed.Timeline.Add(e)
			}
			st.press("-", "-", "-")
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				st.feed.Timeline.Add(stream.Event{T: last + 120 + float64(n)/10, Type: stream.SampleTaken, Sample: events[len(events)/2].Sample})
				_, _ = st.m.Update(tickMsg{st.m.tag})
			}
		})
	}
}

// A tick that has nothing new to show costs next to nothing, and draws nothing.
func BenchmarkIdleTick(b *testing.B) {
	st := stageFor(b, Config{Start: []string{"event-storm"}})
	st.size(120, 40).until(26)
	var m tea.Model = st.m
	b.ReportAllocs()
	for b.Loop() {
		m, _ = m.Update(tickMsg{st.m.tag})
	}
}
