package quantity

import "fmt"

// Clock returns seconds as minutes and seconds ("1:05"), and from an hour on with hours
// ("1:00:05").
func Clock(seconds float64) string {
	s := int64(max(seconds, 0))
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
