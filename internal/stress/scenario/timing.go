package scenario

import (
	"fmt"
	"time"

	"mabeam-top/internal/stress/report"
	"mabeam-top/internal/stress/verdict"
)

// SampleInterval is the time between two samples of the probes.
const SampleInterval = 100 * time.Millisecond

// loadLength returns how long the loads of the step last, all together; 0 if they
// end with their operations, so that nobody knows when that is.
func (s *Step) loadLength() time.Duration {
	if s.Measurement.LoadLength == nil {
		return 0
	}
	return s.Measurement.LoadLength(s.Params)
}

// tooLate says why a fault would never be injected: its load is over before it
// begins. It returns "" if that is not so.
func (s *Step) tooLate(i Fault) string {
	length, from := s.loadLength(), i.Params.Duration(faultFrom.Name)
	if length <= 0 || from < length {
		return ""
	}
	return fmt.Sprintf("it is to begin at %s, but the load ends after %s, so nothing would be injected; let it begin earlier, or the load last longer",
		seconds(from), seconds(length))
}

// noWindow says why a threshold with a window would never be evaluated: the load is
// over before the first window is full. It returns "" if that is not so.
func (s *Step) noWindow(t verdict.Threshold) string {
	length := s.loadLength()
	// A window ends with a sample, and the last sample comes up to one interval
	// before the load's end.
	if length <= 0 || t.Window <= 0 || t.After+t.Window <= length-SampleInterval {
		return ""
	}
	return fmt.Sprintf("the first window ends after %s, but the load ends after %s, and its last sample comes up to %s before that, so the condition would not be evaluated; make window and after shorter, or the load longer",
		seconds(t.After+t.Window), seconds(length), seconds(SampleInterval))
}

func seconds(d time.Duration) string { return report.Quantity(d.Seconds(), "s") }
