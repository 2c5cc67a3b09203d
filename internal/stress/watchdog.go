package stress

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"mabeam-top/internal/stress/stream"
)

// A watchdog looks after a child process whose events pass by. It tells when
// the child has fallen silent, and kills it when it does not end its scenario
// in time: a child that was stopped, or starved, cannot do so itself.
type watchdog struct {
	child *child
	kill  func()

	mu      sync.Mutex // one event at a time
	emit    func(stream.Event)
	heard   time.Time // when the last event came
	last    float64   // its time in the stream
	told    bool      // of the silence since
	overdue time.Time // when the running scenario should be over; zero between scenarios

	bit bool // it has killed the child; to be read when watch has returned
}

// pass hands an event of the child's on.
func (w *watchdog) pass(e stream.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.last, w.told = time.Now(), e.T, false
	switch {
	case e.Type == stream.ScenarioStarted && e.Scenario != nil:
		i := slices.IndexFunc(w.child.plan.Scenarios, func(s Scenario) bool { return s.Name == e.Scenario.Name })
		if i >= 0 {
			w.overdue = w.heard.Add(w.child.plan.Scenarios[i].Timeout + w.child.overdueAfter)
		}
	case e.Type == stream.ScenarioFinished:
		w.overdue = time.Time{}
	}
	w.emit(e)
}

// watch looks after the child until it has ended.
func (w *watchdog) watch(ended <-chan struct{}) {
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return
		case now := <-look.C:
			if w.isOverdue(now) {
				w.bit = true
				w.kill()
				return
			}
		}
	}
}

// isOverdue says whether the child must be killed, and tells of its silence.
func (w *watchdog) isOverdue(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if silence := now.Sub(w.heard); silence > silentAfter && !w.told {
		w.told = true
		w.emit(stream.Event{T: w.last, Type: stream.Logged, Log: &stream.Log{
			Level: "warn", Message: fmt.Sprintf("the child process that runs the load has said nothing for %.0f s", silence.Seconds()),
		}})
	}
	return !w.overdue.IsZero() && now.After(w.overdue)
}
