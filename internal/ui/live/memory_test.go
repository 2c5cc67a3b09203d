package live

import (
	"runtime"
	"strings"
	"testing"

	"mabeam-top/internal/stress/stream"
	"mabeam-top/internal/ui/uitest"
)

// The screen keeps no more memory for an hour of a run than for a few minutes.
func TestMemoryIsFlat(t *testing.T) {
	st := steered(t)
	st.size(80, 24)
	sample := func(i int) {
		now := 30 + float64(i)/10
		s := uitest.Healthy(now)
		s["mailbox_depth"] = float64(i % 700) // warnings come and go
		st.feed.Timeline.Add(stream.Event{T: now, Type: stream.SampleTaken, Sample: s, Inspection: uitest.Inspection(now, float64(i/300%2))})
		if i%100 == 0 {
			st.feed.Timeline.Add(stream.Event{T: now, Type: stream.FaultInjected, Fault: &stream.Fault{Fault: "kill_agents"}})
			st.feed.Timeline.Add(stream.Event{T: now, Type: stream.Logged, Log: &stream.Log{Level: "info", Message: "a message"}})
			st.tick()
			st.press("m")
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const minute = 600
	for i := range 5 * minute {
		sample(i)
	}
	before := heap()
	for i := 5 * minute; i < 60*minute; i++ {
		sample(i)
	}
	if after := heap(); after > before+before/5 {
		t.Errorf("%d bytes after five minutes, %d after an hour", before, after)
	}
	if s := st.latest; s.T < 3600 || s.Points("goroutines", 0)[0].T > 1 || len(st.bookmarks) > maxBookmarks {
		t.Errorf("at %v, from %v on, %d marks", s.T, s.Points("goroutines", 0)[0].T, len(st.bookmarks))
	}
	// All of it can be shown.
	for range 20 {
		st.press("-")
	}
	if at := st.span(); at.From > 0 || len(st.points(line{probe: "goroutines"}, at)) < 500 {
		t.Errorf("from %v, %d points", at.From, len(st.points(line{probe: "goroutines"}, at)))
	}
	if v := st.view(); !strings.Contains(v, " 30:00 ") && !strings.Contains(v, " 0:00 ") {
		t.Errorf("no hour on the axis:\n%s", v)
	}
}
