package format

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

// A row is one line of a step's table: a metric or a threshold, and its result.
type row struct {
	status report.Status
	// inconclusive means that the check neither passed nor failed.
	inconclusive bool
	name, value  string
	// missing means that there is no value; where and why say more.
	missing    bool
	where, why string
	// check is the check to show; zero for a metric without a check.
	check report.Check
	// others are the metric's other checks.
	others string
	spread string
	// threshold is the threshold that the row shows; nil for a metric.
	threshold *report.Threshold
	// note adds to the value: a finding, the worst window, why it is inconclusive.
	note string
	// distribution lists percentiles. A threshold that passed has none.
	distribution string
}

// word is the result in lower case.
func (r row) word() string {
	if r.inconclusive {
		return string(report.Inconclusive)
	}
	return string(r.status)
}

// informs reports whether the row is a metric without a check.
func (r row) informs() bool { return r.word() == string(report.StatusInfo) }

// isMetCondition reports whether the row is a condition that is met: there are many, and
// none says anything else.
func (r row) isMetCondition() bool {
	return r.check.Kind == report.KindCondition && r.status == report.StatusPass && !r.inconclusive
}

// remark is the note, or where and why the value is missing.
func (r row) remark() string {
	if r.missing {
		return join(": ", r.where, r.why)
	}
	return r.note
}

// sentence says how the metric did, for readers who do not see the table.
func (r row) sentence() string {
	check := ""
	if r.check.Kind != "" {
		check = r.check.Text()
	}
	if r.missing {
		return join("; ", join(": ", join(" ", r.name+" was not measured", r.where), r.why), check)
	}
	return join(", ", r.name+" is "+r.value, check, r.check.Difference, r.note)
}

// join joins the texts that are not empty.
func join(separator string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), separator)
}

// rowOrder is the order of a step's rows by their word; metrics without a check come last.
var rowOrder = []string{
	string(report.StatusFail), string(report.Inconclusive), string(report.StatusWarn), string(report.StatusPass), string(report.StatusExceed),
}

func (r row) rank() int {
	if i := slices.Index(rowOrder, r.word()); i >= 0 {
		return i
	}
	return len(rowOrder)
}

// rowsOf returns a row for each threshold and metric of a step, the worst first.
func rowsOf(step report.Step) []row {
	var rows []row
	for _, t := range step.Thresholds {
		rows = append(rows, thresholdRow(t, step))
	}
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		rows = append(rows, metricRow(name, step))
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.rank(), b.rank()) })
	return rows
}

func metricRow(name string, step report.Step) row {
	m := step.Metrics[name]
	r := row{
		status: m.Status, name: name, value: m.Text(), missing: m.Value == nil, spread: spread(m), distribution: distribution(m),
		inconclusive: m.Undecided != "", note: step.Remark(name),
	}
	if r.missing && !r.inconclusive {
		r.where, r.why = step.Missing(name)
	}
	check, ok := m.MainCheck()
	if !ok {
		return r
	}
	r.check = check
	var others []string
	for _, other := range m.Checks() {
		if other.Kind != check.Kind {
			others = append(others, other.Text())
		}
	}
	r.others = strings.Join(others, ", ")
	return r
}

func thresholdRow(t report.Threshold, step report.Step) row {
	m, _, _ := report.FindMetric(step.Metrics, t.Metric)
	r := row{threshold: &t, status: report.StatusPass, name: t.Metric}
	r.check = report.Check{Kind: report.KindThreshold, Limit: quantity.Condition(t.Condition, m.Unit)}
	if !t.OK {
		r.status, r.distribution = report.StatusFail, distribution(m)
	}
	switch {
	case t.Actual == nil:
		r.missing, r.value = true, report.Metric{}.Text()
		r.where, r.why = step.Missing(t.Metric)
	case m.Unit == "bool":
		r.value = report.Metric{Value: *t.Actual != 0}.Text()
	default:
		r.value, r.check.Difference = quantity.Format(*t.Actual, m.Unit), t.Difference()
	}
	if t.WindowSeconds != nil {
		r.note = fmt.Sprintf("in the worst %s window", quantity.Format(*t.WindowSeconds, "s"))
		if t.WorstAtSeconds != nil {
			r.note += ", at " + quantity.Format(*t.WorstAtSeconds, "s")
		}
	}
	return r
}

// collapse replaces the conditions that are met by one row that counts them, which it
// puts before the metrics without a check. It drops a metric without a check if a
// threshold already shows its value.
func collapse(rows []row) []row {
	var rest []row
	met := 0
	for _, r := range rows {
		if r.isMetCondition() {
			met++
			continue
		}
		at := slices.IndexFunc(rest, func(other row) bool {
			return other.threshold != nil && other.threshold.WindowSeconds == nil && other.name == r.name
		})
		if at >= 0 && r.informs() {
			rest[at].spread = cmp.Or(rest[at].spread, r.spread)
			rest[at].distribution = cmp.Or(rest[at].distribution, r.distribution)
			continue
		}
		rest = append(rest, r)
	}
	if met == 0 {
		return rest
	}
	at := slices.IndexFunc(rest, row.informs)
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, row{status: report.StatusPass, name: ConditionsMet(met)})
}

// ConditionsMet says that n conditions are met.
func ConditionsMet(n int) string {
	if n == 1 {
		return "1 exact condition met"
	}
	return fmt.Sprintf("%d exact conditions met", n)
}

// spread is how far the repetitions lie from their median: the largest distance as a
// percentage, or the range if the median is 0.
func spread(m report.Metric) string {
	if _, ok := m.Value.(float64); !ok || len(m.Samples) < 2 {
		return ""
	}
	low, high := slices.Min(m.Samples), slices.Max(m.Samples)
	if low == high {
		return "±0 %"
	}
	if share, ok := m.Spread(); ok {
		return "±" + quantity.Percent(share)
	}
	return quantity.Format(low, m.Unit) + "–" + quantity.Format(high, m.Unit)
}

// distribution lists the percentiles that have enough operations.
func distribution(m report.Metric) string {
	d := m.Distribution
	if d == nil || d.Count == 0 {
		return ""
	}
	var stats []string
	for _, stat := range []struct{ name, label string }{{"p50", "p50"}, {"p95", "p95"}, {"p99", "p99"}, {"p999", "p99.9"}, {"max", "max"}} {
		if v, ok := d.Stat(stat.name); ok {
			stats = append(stats, stat.label+" "+quantity.Format(v, m.Unit))
		}
	}
	return join(" ", strings.Join(stats, ", "), "(n="+quantity.Count(float64(d.Count))+")")
}
