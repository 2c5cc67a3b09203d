package verdict

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"

	"mabeam-top/internal/stress/quantity"
	"mabeam-top/internal/stress/report"
)

const (
	// DefaultThreshold is the share by which medians have to differ.
	DefaultThreshold = 0.10
	// DefaultAlpha is the probability below which a difference is not taken
	// for chance.
	DefaultAlpha = 0.05
	// enoughSamples is from how many samples a side on the test can tell
	// anything: with fewer no difference at all would be significant.
	enoughSamples = 4
	// The U test takes the repetitions of a run for independent, but they share
	// a minute of the machine's life, and a report has dozens of metrics, of
	// which one in twenty differs by chance. So a difference that the test is
	// just sure of has to be clear of the spread too, or else comparisons of the
	// same build find something, as docs/explanation/comparisons.md shows. One that is
	// surelyBy times as unlikely by chance as alpha asks for counts by itself.
	// clearOf is by how many times the range of the middle half of the
	// repetitions the other has to differ.
	surelyBy = 10
	clearOf  = 2
)

// tooFew is the note of a verdict by the threshold alone.
const tooFew = "too few samples for significance"

var (
	// ErrDifferentParameters says that two reports did not measure the same.
	ErrDifferentParameters = errors.New("different parameters")
	// ErrNothingInCommon says that no step is in both reports.
	ErrNothingInCommon = errors.New("no step in common")
)

// A Rule says what counts as a regression. The zero value is the default.
type Rule struct {
	// Threshold is the share of the old median by which the new one has to
	// differ; 0 means DefaultThreshold.
	Threshold float64
	// Alpha is the probability of the U test below which a difference is not
	// taken for chance; 0 means DefaultAlpha.
	Alpha float64
	// Force compares steps with different parameters too.
	Force bool
}

// Compare says what became better or worse from one report to a later one,
// metric by metric, in the order of the new report. The name is what the old
// one is called.
//
// Steps are the same if they and their scenarios have the same name. Steps
// with different parameters are an error that wraps ErrDifferentParameters,
// unless the rule forces it, and reports without a common step one that wraps
// ErrNothingInCommon. The warnings tell what else of the two runs differed:
// the figures may differ because of that.
func Compare(before, now report.Report, name string, rule Rule) (result report.Regression, warnings []string, err error) {
	rule.Threshold = cmp.Or(rule.Threshold, DefaultThreshold)
	rule.Alpha = cmp.Or(rule.Alpha, DefaultAlpha)
	result = report.Regression{Baseline: name, Threshold: rule.Threshold, Alpha: rule.Alpha}
	warnings, err = Comparable(before, now)
	if errors.Is(err, ErrDifferentParameters) && rule.Force {
		warnings = append(warnings, strings.Split(err.Error(), "\n")...)
	} else if err != nil {
		return report.Regression{}, warnings, err
	}
	pairs := pairsOf(before, now)
	for _, p := range pairs {
		result.Metrics = append(result.Metrics, p.compare(rule)...)
	}
	for _, m := range result.Metrics {
		if m.Verdict != report.Regressed {
			continue
		}
		result.Detected = true
		if m.DeltaPercent != nil {
			result.Percentage = max(result.Percentage, math.Abs(*m.DeltaPercent))
		}
	}
	return result, warnings, nil
}

// Comparable tells in what two runs differ besides their figures, and whether
// they can be compared at all. Of the second only the scenarios, steps and
// parameters have to be there, so that a run can be refused before it begins.
func Comparable(before, now report.Report) (warnings []string, err error) {
	warnings = differences(before, now)
	common := false
	var faults []error
	for _, p := range pairsOf(before, now) {
		if p.before == nil || p.now == nil {
			continue
		}
		common = true
		if what := differentParams(*p.before, *p.now); what != "" {
			faults = append(faults, fmt.Errorf("%s › %s: %w: %s", p.scenario, p.step, ErrDifferentParameters, what))
		}
	}
	if !common {
		return warnings, ErrNothingInCommon
	}
	return warnings, errors.Join(faults...)
}

// differences lists what of the machines and programs differs. What is not
// known of one is not compared.
func differences(before, now report.Report) []string {
	var told []string
	tell := func(what, a, b string) {
		if a != b && a != "" && b != "" {
			told = append(told, fmt.Sprintf("%s differs: %s before, %s now", what, a, b))
		}
	}
	number := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprint(n)
	}
	a, b := before.Host, now.Host
	tell("the operating system", a.OS+a.Arch, b.OS+b.Arch)
	tell("the kernel", a.Kernel, b.Kernel)
	tell("the CPU", a.CPUModel, b.CPUModel)
	tell("the number of CPUs", number(uint64(a.CPUs)), number(uint64(b.CPUs)))
	tell("GOMAXPROCS", number(uint64(a.GOMAXPROCS)), number(uint64(b.GOMAXPROCS)))
	// A virtual machine's memory is not the same to the byte after each start.
	if x, y := float64(a.MemoryBytes), float64(b.MemoryBytes); x > 0 && y > 0 && math.Abs(x-y) > 0.02*x {
		tell("the memory", quantity.Format(x, "bytes"), quantity.Format(y, "bytes"))
	}
	if now.Host != (report.Host{}) && before.Host != (report.Host{}) {
		limit := func(h report.Host) string {
			if h.CgroupMemoryBytes == nil {
				return "none"
			}
			return quantity.Format(float64(*h.CgroupMemoryBytes), "bytes")
		}
		tell("the limit on memory", limit(a), limit(b))
		tell("GOMEMLIMIT", number(uint64(max(a.GOMemLimit, 0))), number(uint64(max(b.GOMemLimit, 0))))
	}
	tell("the Go version", before.Tool.Go, now.Tool.Go)
	tell("the seed", number(before.Seed), number(now.Seed))
	for _, p := range pairsOf(before, now) {
		told = append(told, p.differences()...)
	}
	return told
}

// A pair is the same step of two reports, of which one may not have it.
type pair struct {
	scenario, step string
	before, now    *report.Step
}

// pairsOf pairs the steps of two reports, in the order of the new one, then
// those that only the old one has.
func pairsOf(before, now report.Report) []pair {
	type key struct{ scenario, step string }
	var order []key
	pairs := map[key]*pair{}
	add := func(r report.Report, set func(*pair, *report.Step)) {
		for i := range r.Scenarios {
			s := &r.Scenarios[i]
			for j := range s.Steps {
				k := key{s.Name, s.Steps[j].Name}
				if pairs[k] == nil {
					pairs[k] = &pair{scenario: k.scenario, step: k.step}
					order = append(order, k)
				}
				set(pairs[k], &s.Steps[j])
			}
		}
	}
	add(now, func(p *pair, s *report.Step) { p.now = s })
	add(before, func(p *pair, s *report.Step) { p.before = s })
	all := make([]pair, len(order))
	for i, k := range order {
		all[i] = *pairs[k]
	}
	return all
}

// differences lists what of how the step was measured differs, besides its
// parameters.
func (p pair) differences() []string {
	if p.before == nil || p.now == nil {
		return nil
	}
	var told []string
	where := p.scenario + " › " + p.step
	a, b := p.before.RepetitionCount(), p.now.RepetitionCount()
	if a != b && a > 0 && b > 0 {
		told = append(told, fmt.Sprintf("%s: %d repetitions before, %d now", where, a, b))
	}
	if len(p.now.Metrics) > 0 && p.before.Isolated != p.now.Isolated {
		own := map[bool]string{true: "in a process of its own", false: "in the process that reports"}
		told = append(told, fmt.Sprintf("%s: measured %s before, %s now", where, own[p.before.Isolated], own[p.now.Isolated]))
	}
	if p.before.Steered || p.now.Steered {
		told = append(told, where+": somebody steered it by hand while it was measured")
	}
	return told
}

// differentParams says which parameters of a step differ; "" if none does.
func differentParams(before, now report.Step) string {
	if before.Measurement != now.Measurement {
		return fmt.Sprintf("it measured %s before, %s now", before.Measurement, now.Measurement)
	}
	a, b := plain(before.Params), plain(now.Params)
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	text := func(params map[string]any, name string) string {
		v, ok := params[name]
		if !ok {
			return "not set"
		}
		if s, ok := v.(string); ok {
			return s
		}
		data, err := json.Marshal(v)
		if err != nil {
			return fmt.Sprint(v)
		}
		return string(data)
	}
	var told []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			told = append(told, fmt.Sprintf("%s was %s, is %s", name, text(a, name), text(b, name)))
		}
	}
	return strings.Join(told, ", ")
}

// plain returns parameters as a report file has them: whole numbers of any
// type become the same float64.
func plain(params map[string]any) map[string]any {
	data, err := json.Marshal(params)
	if err != nil {
		return params
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		return params
	}
	return out
}

// compare compares each metric of the pair, in the order of their names.
func (p pair) compare(rule Rule) []report.RegressionMetric {
	names := map[string]bool{}
	for _, s := range []*report.Step{p.before, p.now} {
		if s == nil {
			continue
		}
		for name := range s.Metrics {
			names[name] = true
		}
	}
	var all []report.RegressionMetric
	for _, name := range slices.Sorted(maps.Keys(names)) {
		m := report.RegressionMetric{Verdict: report.Unknown}
		a, inOld := metricOf(p.before, name)
		b, inNew := metricOf(p.now, name)
		switch {
		case !inOld:
			m.New, m.Note = valueOf(b), "only in the new report"
		case p.vanished(name):
			m.Verdict, m.Old = report.Regressed, valueOf(a)
			m.Note = joined("it was measured before and is not now", p.now.Remark(name))
		case !inNew:
			m.Old, m.Note = valueOf(a), "only in the old report"
		case a.Unit != b.Unit:
			m.Old, m.New, m.Note = valueOf(a), valueOf(b), fmt.Sprintf("in %s before, in %s now", a.Unit, b.Unit)
		default:
			m = compareMetric(a, b, isExtreme(name, p.now), rule)
			m = compareExact(m, a, b)
			if why := p.unreliable(); why != "" {
				m.Verdict, m.Note = report.Unknown, why
			}
		}
		m.Scenario, m.Step, m.Metric = p.scenario, p.step, name
		all = append(all, m)
	}
	return all
}

func metricOf(s *report.Step, name string) (report.Metric, bool) {
	if s == nil {
		return report.Metric{}, false
	}
	m, ok := s.Metrics[name]
	return m, ok
}

// isExtreme says whether the metric is a percentile or the maximum of all operations:
// a single value, however often the step was repeated.
func isExtreme(name string, s *report.Step) bool {
	whole, ok := statisticOf(name)
	return ok && s.Metrics[whole].Distribution != nil
}

// statisticOf returns NAME for the name of a metric that is a statistic of NAME, such
// as NAME.max or NAME.p999.
func statisticOf(name string) (string, bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || !slices.Contains(heldStatistics, name[dot+1:]) && name[dot+1:] != "max" {
		return "", false
	}
	return name[:dot], true
}

// vanished says whether a metric that is held against something has no value although
// it had one in the old report, and the new step was measured to its end. A percentile
// that there are too few operations for has not vanished.
func (p pair) vanished(name string) bool {
	if p.before == nil || p.now == nil || p.unreliable() != "" {
		return false
	}
	before, now := p.before.Metrics[name], p.now.Metrics[name]
	_, held := before.MainCheck()
	if !held {
		_, held = now.MainCheck()
	}
	return held && before.Value != nil && now.Value == nil && !isExtreme(name, p.now)
}

// compareExact corrects the comparison of a metric that has to meet a condition: one
// that is broken now and held before is a regression, whatever the medians are. An
// undecided metric, and an estimate whose intervals overlap, tell of no change.
func compareExact(m report.RegressionMetric, before, now report.Metric) report.RegressionMetric {
	if before.Undecided != "" || now.Undecided != "" {
		m.Verdict, m.Note = report.Unknown, "it is undecided in one of the reports"
		return m
	}
	if a, b := before.Interval, now.Interval; a != nil && b != nil && a.Low <= b.High && b.Low <= a.High && m.Verdict != report.Unknown {
		m.Verdict, m.Note = report.Same, "within the interval of the estimate"
	}
	if now.Condition == "" || before.Value == nil || now.Value == nil {
		return m
	}
	held, holds := before.Meets(now.Condition), now.Meets(now.Condition)
	if held != holds {
		// The median of counts of which most are 0 would hide it.
		m.Old, m.New, m.DeltaPercent = valueOf(before), valueOf(now), nil
		m.PValue = nil
		if m.Old != nil && m.New != nil {
			if effect, known := relative(*m.Old, *m.New); known {
				percent := 100 * effect
				m.DeltaPercent = &percent
			}
		}
	}
	must := report.Check{Kind: report.KindCondition, Limit: quantity.Condition(now.Condition, now.Unit)}.Text()
	switch {
	case held && !holds:
		m.Verdict, m.Note = report.Regressed, "it "+must+", which held before"
	case !held && holds:
		m.Verdict, m.Note = report.Improved, "it "+must+", which did not hold before"
	}
	return m
}

// unreliable says why the figures of one of the sides say nothing, or "".
func (p pair) unreliable() string {
	for _, side := range []struct {
		step *report.Step
		text string
	}{{p.before, "old"}, {p.now, "new"}} {
		switch side.step.Verdict {
		case report.Inconclusive, report.Broken, report.Interrupted:
			return fmt.Sprintf("the step is %s in the %s report", side.step.Verdict, side.text)
		}
	}
	return ""
}

// valueOf is a metric's number, yes counting 1 and no 0; nil if it has none.
func valueOf(m report.Metric) *float64 {
	if v, ok := report.Number(m.Value); ok {
		return &v
	}
	return nil
}

// samplesOf are the finite samples of a metric, sorted; its value stands for
// them if it has none.
func samplesOf(m report.Metric) []float64 {
	samples := slices.DeleteFunc(slices.Clone(m.Samples), func(v float64) bool { return !report.Finite(v) })
	if v := valueOf(m); len(samples) == 0 && v != nil {
		samples = append(samples, *v)
	}
	slices.Sort(samples)
	return samples
}

// compareMetric compares a metric that both reports have in the same unit.
func compareMetric(before, now report.Metric, extreme bool, rule Rule) report.RegressionMetric {
	m := report.RegressionMetric{Verdict: report.Unknown}
	a, b := samplesOf(before), samplesOf(now)
	if len(a) == 0 || len(b) == 0 {
		return textual(before, now)
	}
	was, is := report.Median(a), report.Median(b)
	m.Old, m.New = &was, &is
	effect, known := relative(was, is)
	if known {
		percent := 100 * effect
		m.DeltaPercent = &percent
	}
	few := min(len(a), len(b)) < enoughSamples
	p := 1.0
	if !few {
		p = chance(a, b, rule.Alpha)
		m.PValue = &p
	}
	better := now.Better
	if better == "" || better == report.Neither {
		better = before.Better
	}
	worse := effect > 0
	if better == report.Higher {
		worse = !worse
	}
	spread := spreads(a, b)
	switch {
	case math.Abs(effect) <= rule.Threshold:
		m.Verdict = report.Same
	case better != report.Higher && better != report.Lower:
		m.Note = joined("it differs, and neither direction is better", spread)
	case extreme:
		m.Note = "it is one extreme value, whatever the repetitions: its difference may be chance"
	case !few && p >= rule.Alpha:
		m.Verdict, m.Note = report.Same, joined("it differs, but no more than by chance", spread)
	case !few && p >= rule.Alpha/surelyBy && math.Abs(is-was) <= clearOf*max(middleHalf(a), middleHalf(b)):
		m.Note = joined("its repetitions differ too much among themselves to tell", spread)
	default:
		m.Verdict = report.Improved
		if worse {
			m.Verdict = report.Regressed
		}
		if few {
			m.Note = tooFew
		}
		if !known {
			m.Note = joined(m.Note, "from 0 there is no percentage")
		}
		m.Note = joined(m.Note, spread)
	}
	return m
}

// chance is the probability that two samples of the same thing differ at least
// as much as these (Mann-Whitney U test, two-sided). Where values are equal
// the library's answer depends on which sample comes first, and may be more
// than 1: the more careful of the two answers counts.
func chance(a, b []float64, alpha float64) float64 {
	thresholds := &benchmath.Thresholds{CompareAlpha: alpha}
	first, second := benchmath.NewSample(a, thresholds), benchmath.NewSample(b, thresholds)
	p := max(benchmath.AssumeNothing.Compare(first, second).P, benchmath.AssumeNothing.Compare(second, first).P)
	if !report.Finite(p) {
		return 1
	}
	return min(p, 1)
}

// textual compares what is not a number.
func textual(before, now report.Metric) report.RegressionMetric {
	switch {
	case before.Value == nil && now.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, Note: "measured in neither report"}
	case before.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, New: valueOf(now), Note: "not measured in the old report"}
	case now.Value == nil:
		return report.RegressionMetric{Verdict: report.Unknown, Old: valueOf(before), Note: "not measured in the new report"}
	case before.Value == now.Value:
		return report.RegressionMetric{Verdict: report.Same}
	}
	return report.RegressionMetric{Verdict: report.Unknown, Note: fmt.Sprintf("was %s, is %s", before.Text(), now.Text())}
}

// relative is by what share of the old value the new one differs. From 0 there
// is no such share: then it is infinite, and known false.
func relative(was, is float64) (effect float64, known bool) {
	if was == is {
		return 0, true
	}
	effect = (is - was) / math.Abs(was)
	return effect, report.Finite(effect) && report.Finite(100*effect)
}

// middleHalf is the range of the middle half of sorted values, which a few odd
// ones do not change.
func middleHalf(sorted []float64) float64 {
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		low := int(place)
		high := min(low+1, len(sorted)-1)
		part := place - float64(low)
		return sorted[low]*(1-part) + sorted[high]*part
	}
	return at(0.75) - at(0.25)
}

// spreads says how far the samples of both sides lie from their medians.
func spreads(before, now []float64) string {
	spread := func(sorted []float64) string {
		middle := report.Median(sorted)
		share := max(sorted[len(sorted)-1]-middle, middle-sorted[0]) / math.Abs(middle)
		if len(sorted) < 2 || !report.Finite(share) {
			return ""
		}
		return "±" + quantity.Percent(share)
	}
	a, b := spread(before), spread(now)
	if a == "" || b == "" {
		return ""
	}
	return fmt.Sprintf("spread %s before, %s now", a, b)
}

// joined joins the parts of a note that are not empty.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
