package scenario

import (
	"fmt"
	"time"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/verdict"
)

// SampleInterval is the time between two samples of the probes.
const SampleInterval = 100 * time.Millisecond

// loadLength returns the total length of the step's loads; 0 if they end with their
// operations, so that it is not known.
func (s *Step) loadLength() time.Duration {
	if s.Measurement.LoadLength == nil {
		return 0
	}
	return s.Measurement.LoadLength(s.Params)
}

// tooLate returns why a fault would never be injected: its load ends before it begins.
// It returns "" if that is not so.
func (s *Step) tooLate(f Fault) string {
	length, from := s.loadLength(), f.Params.Duration(faultFrom.Name)
	if length <= 0 || from < length {
		return ""
	}
	return fmt.Sprintf("the fault begins at %s, but the load ends after %s, so nothing would be injected; use an earlier from or a longer load",
		seconds(from), seconds(length))
}

// noWindow returns why a threshold with a window would never be evaluated: the load ends
// before the first window is complete. It returns "" if that is not so.
func (s *Step) noWindow(t verdict.Threshold) string {
	length := s.loadLength()
	// A window ends with a sample, and the last sample can be one interval before the
	// end of the load.
	if length <= 0 || t.Window <= 0 || t.After+t.Window <= length-SampleInterval {
		return ""
	}
	return fmt.Sprintf("the first window ends after %s, but the load ends after %s, with the last sample up to %s before that, so the condition would never be evaluated; use a shorter window and after, or a longer load",
		seconds(t.After+t.Window), seconds(length), seconds(SampleInterval))
}

func seconds(d time.Duration) string { return quantity.Format(d.Seconds(), "s") }
