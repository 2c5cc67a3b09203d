package report

import "strings"

// Find returns the metric that a threshold's name means: NAME, or for
// NAME.STAT the metric NAME with that statistic of its distribution. A metric
// whose own name has a dot comes before a statistic.
func FindMetric(metrics map[string]Metric, name string) (m Metric, stat string, ok bool) {
	if m, ok := metrics[name]; ok {
		return m, "", true
	}
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return Metric{}, "", false
	}
	m, ok = metrics[name[:dot]]
	return m, name[dot+1:], ok
}
