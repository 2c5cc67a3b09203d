package stress

import (
	"fmt"
	"math"
	"slices"

	"mabeam-top/internal/stress/verdict"
)

// shares are the metrics in the unit ratio that are a part of a whole by their
// definition, and so never more than 1. Other ratios compare two things that were
// measured apart, and may be anything.
var shares = []string{"success_rate", "stability_score", "load_balance", "graceful_degradation_score", "gc_reclaimed_ratio", "fragmentation_ratio"}

// never says why a condition on the metric, or on a statistic of it, cannot hold
// whatever is measured. It returns "" if it can.
func (m Metric) never(c verdict.Condition) string {
	switch {
	case m.Unit == "bool":
		if !c.Holds(0) && !c.Holds(1) {
			return fmt.Sprintf("%s is true (1) or false (0)", m.Name)
		}
	case m.Unit == "ratio" && slices.Contains(shares, m.Name):
		if !c.Possible(0, 1) {
			return fmt.Sprintf("%s is a share, which is from 0 to 1 (0%% to 100%%)", m.Name)
		}
	case slices.Contains([]string{"count", "1/s", "ms", "s"}, m.Unit):
		if !c.Possible(0, math.Inf(1)) {
			return fmt.Sprintf("%s is never less than 0", m.Name)
		}
	}
	return ""
}
