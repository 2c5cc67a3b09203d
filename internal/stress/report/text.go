package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"mabeam-top/internal/probes/probe"
)

// TextOptions say how a text report looks. The zero value is 80 columns of
// UTF-8 without colours.
type TextOptions struct {
	// Width is in columns of the terminal; 0 means 80. Only the command is
	// longer where it must be.
	Width int
	// Color underlines what the words say with the terminal's own colours.
	Color bool
	// ASCII writes nothing but ASCII; other characters become the nearest
	// that there is, or a question mark.
	ASCII bool
}

// Text writes the report for a person in a hurry: the verdict and what is
// wrong first, then every scenario's steps with the metrics that were judged
// before those that were not, and at the end where and how to run it again.
func Text(w io.Writer, r Report, o TextOptions) error {
	p := newPage(o)
	p.answer(r)
	columns := columnsFor(r, p)
	for _, s := range r.Scenarios {
		p.blank()
		p.heading(bold, named(s.Title, s.Name), s.Verdict, s.Score, s.DurationSeconds)
		for _, step := range s.Steps {
			p.step(step, columns)
		}
	}
	if r.Regression != nil {
		p.blank()
		p.regression(r)
	}
	p.blank()
	p.origin(r)
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write report as text: %w", err)
	}
	return nil
}

func named(title, name string) string {
	if title == "" || title == name {
		return name
	}
	return title + " (" + name + ")"
}

// mostProblems is how many problems are told before the details begin.
const mostProblems = 10

// answer writes the verdict, what led to it, and what to know before reading
// on.
func (p *page) answer(r Report) {
	word := strings.ToUpper(string(r.Verdict))
	if r.regressed() {
		word += ", REGRESSED" // which may be what the exit code tells
	}
	p.hang(span{verdictStyle(r.Verdict), word + "  "}, bold, summary(r))
	p.wrap(dim, "", fmt.Sprintf("score %s, grade %s, took %s", digits(r.Score, 3), r.Grade, Quantity(r.DurationSeconds, "s")))
	problems := problemsOf(r)
	for _, line := range problems[:min(len(problems), mostProblems)] {
		p.wrap(plain, "  - ", line)
	}
	if more := len(problems) - mostProblems; more > 0 {
		p.wrap(plain, "  - ", fmt.Sprintf("… and %d more below", more))
	}
	for _, line := range r.Recommendations {
		p.wrap(plain, "  - ", line)
	}
}

func (r Report) regressed() bool { return r.Regression != nil && r.Regression.Detected }

// summary says in one line how much went wrong, and how much got worse.
func summary(r Report) string {
	text := checksSummary(r)
	if r.regressed() {
		text += "; " + regressionSummary(*r.Regression)
	}
	return text
}

// checksSummary says in one line how much went wrong.
func checksSummary(r Report) string {
	steps, checks := 0, 0
	verdicts := map[Verdict]int{}
	statuses := map[string]int{}
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			steps++
			verdicts[step.Verdict]++
			if step.Verdict == Inconclusive {
				continue // whatever its checks say, it is not about the system
			}
			for _, c := range checksOf(step) {
				if c.status != StatusInfo {
					checks++
					statuses[c.word()]++
				}
			}
		}
	}
	var facts []string
	tell := func(n, of int, one, many, what string) {
		switch {
		case n > 0 && of == 1:
			facts = append(facts, fmt.Sprintf("the only %s %s", one, what))
		case n > 0:
			facts = append(facts, fmt.Sprintf("%d of %d %s %s", n, of, many, what))
		}
	}
	tell(verdicts[Interrupted], steps, "step", "steps", "interrupted")
	tell(verdicts[Broken], steps, "step", "steps", "could not be measured")
	tell(statuses[string(StatusFail)], checks, "check", "checks", "failed")
	tell(verdicts[Inconclusive], steps, "step", "steps", "without a conclusion")
	tell(statuses[wordUndecided], checks, "check", "checks", "undecided")
	tell(statuses[string(StatusWarn)], checks, "check", "checks", "came close to failing")
	switch {
	case len(facts) > 0:
		return strings.Join(facts, ", ")
	case len(r.Scenarios) == 0:
		return "no scenario was run"
	case steps == 0:
		return "no step was run"
	case checks == 0:
		return "nothing was held against a baseline or threshold"
	case checks == 1:
		return "the only check passed"
	}
	return fmt.Sprintf("all %d checks passed", checks)
}

// problemsOf lists what is wrong, the worst first.
func problemsOf(r Report) []string {
	var broken, failed, inconclusive, warned []string
	for _, s := range r.Scenarios {
		for _, step := range s.Steps {
			where := s.Name + " › " + step.Name
			switch step.Verdict {
			case Broken, Interrupted:
				broken = append(broken, where+": "+firstLine(step.Reason()))
			case Inconclusive:
				inconclusive = append(inconclusive, where+": "+step.Reason())
				continue
			}
			for _, c := range checksOf(step) {
				switch c.word() { // of a failed step, what is undecided is no problem of its own
				case string(StatusFail):
					failed = append(failed, where+": "+c.problem())
				case string(StatusWarn):
					warned = append(warned, where+": "+c.problem())
				}
			}
		}
	}
	return slices.Concat(broken, failed, inconclusive, warned)
}

// problem says in a line what is wrong with a check.
func (c check) problem() string {
	text := c.name + " " + c.value
	if c.value == (Metric{}).Text() && c.note != "" {
		return text + " " + c.note + "; " + c.standard()
	}
	text += ", " + c.standard()
	if c.difference != "" {
		text += ", " + c.difference
	}
	if c.note != "" {
		text += ", " + c.note
	}
	return text
}

// firstLine leaves out what follows, such as the stack of a panic.
func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// A check is one line of a step's table: a metric, or a threshold on one.
type check struct {
	status Status
	name   string
	value  string
	// kind is what it is held against; empty for a metric that is held against
	// nothing.
	kind       StandardKind
	against    string
	basis      string // of a floor
	difference string
	spread     string
	// threshold is the one that it is of; nil for a metric.
	threshold *Threshold
	// note says what the value does not: when a windowed threshold was at its worst,
	// what was found, why it was not measured, or why it is undecided.
	note string
	// others are what the metric is held against besides.
	others string
	// undecided says that it neither passed nor failed.
	undecided bool
	// detail is the metric's distribution; that of a threshold is told only where
	// it is missed.
	detail string
}

// wordUndecided is the status of a check that neither passed nor failed.
const wordUndecided = "undecided"

// word is the check's status in lower case.
func (c check) word() string {
	if c.undecided {
		return wordUndecided
	}
	return string(c.status)
}

// standard is what the check is held against, as the part of a sentence.
func (c check) standard() string {
	return Standard{Kind: c.kind, Against: c.against, Basis: c.basis}.Text()
}

// exact says whether it is a condition that holds and that nothing is to be said of:
// there are many of these.
func (c check) exact() bool {
	return c.kind == KindMust && c.status == StatusPass && !c.undecided
}

// collapse leaves the conditions that hold out of the checks, and says how many there
// are in one check before those that are held against nothing. A metric that is held
// against nothing but a threshold is only in the threshold's row.
func collapse(checks []check) []check {
	var rest []check
	n := 0
	for _, c := range checks {
		if c.exact() {
			n++
			continue
		}
		if at := slices.IndexFunc(rest, func(other check) bool {
			return other.threshold != nil && other.threshold.WindowSeconds == nil && other.name == c.name
		}); at >= 0 && c.word() == string(StatusInfo) {
			rest[at].spread = cmp.Or(rest[at].spread, c.spread)
			rest[at].detail = cmp.Or(rest[at].detail, c.detail)
			continue
		}
		rest = append(rest, c)
	}
	if n == 0 {
		return rest
	}
	at := slices.IndexFunc(rest, func(c check) bool { return c.word() == string(StatusInfo) })
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, check{status: StatusPass, name: ExactConditions(n)})
}

// ExactConditions says in words that so many conditions hold.
func ExactConditions(n int) string {
	if n == 1 {
		return "1 exact condition holds"
	}
	return fmt.Sprintf("%d exact conditions hold", n)
}

// checksOf lists a step's thresholds and metrics: failed, undecided, warned, passed,
// exceeded, then those not judged.
func checksOf(step Step) []check {
	var checks []check
	for _, t := range step.Thresholds {
		checks = append(checks, thresholdCheck(t, step))
	}
	for _, name := range slices.Sorted(maps.Keys(step.Metrics)) {
		checks = append(checks, metricCheck(name, step))
	}
	order := []string{string(StatusFail), wordUndecided, string(StatusWarn), string(StatusPass), string(StatusExceed)}
	place := func(c check) int {
		if i := slices.Index(order, c.word()); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortStableFunc(checks, func(a, b check) int { return cmp.Compare(place(a), place(b)) })
	return checks
}

func metricCheck(name string, step Step) check {
	m := step.Metrics[name]
	c := check{
		status: m.Status, name: name, value: m.Text(), spread: spreadText(m), detail: distribution(m),
		note: step.Remark(name), undecided: m.Undecided != "",
	}
	shown, ok := m.Shown()
	if !ok {
		return c
	}
	c.kind, c.against, c.basis, c.difference = shown.Kind, shown.Against, shown.Basis, shown.Difference
	var others []string
	for _, s := range m.Standards() {
		if s.Kind != shown.Kind {
			others = append(others, s.Text())
		}
	}
	c.others = strings.Join(others, ", ")
	return c
}

func thresholdCheck(t Threshold, step Step) check {
	m, _, _ := Find(step.Metrics, t.Metric)
	unit := m.Unit
	c := check{threshold: &t, status: StatusPass, name: t.Metric, value: "not measured", kind: KindLimit, against: InUnit(t.Condition, unit)}
	if !t.OK {
		c.status = StatusFail
		c.detail = distribution(m)
	}
	if t.Actual == nil {
		c.note = step.missing(t.Metric)
	} else {
		c.value = Metric{Value: *t.Actual, Unit: unit}.Text()
		if unit == "bool" {
			c.value = Metric{Value: *t.Actual != 0}.Text()
		} else {
			c.difference = t.OverOrUnder()
		}
	}
	if t.WindowSeconds != nil {
		c.note = "in the worst window of " + Quantity(*t.WindowSeconds, "s")
		if t.WorstAtSeconds != nil {
			c.note += " from " + Quantity(*t.WorstAtSeconds, "s") + " on"
		}
	}
	return c
}

// spreadText is how far the repetitions lie from their median: by what share the
// farthest does, or between what values if the median is 0.
func spreadText(m Metric) string {
	if _, ok := m.Value.(float64); !ok || len(m.Samples) < 2 {
		return ""
	}
	low, high := slices.Min(m.Samples), slices.Max(m.Samples)
	if low == high {
		return "±0 %"
	}
	if share, ok := m.Spread(); ok {
		return "±" + Percent(share)
	}
	return Quantity(low, m.Unit) + "–" + Quantity(high, m.Unit)
}

// distribution tells the percentiles that there are operations enough for.
func distribution(m Metric) string {
	d := m.Distribution
	if d == nil || d.Count == 0 {
		return ""
	}
	var told []string
	for _, stat := range []struct{ name, label string }{{"p50", "p50"}, {"p95", "p95"}, {"p99", "p99"}, {"p999", "p99.9"}, {"max", "max"}} {
		if v, ok := d.Stat(stat.name); ok {
			told = append(told, stat.label+" "+Quantity(v, m.Unit))
		}
	}
	return strings.Join(told, ", ") + " of " + count(float64(d.Count))
}

// step writes one step: its table, then what it counted.
func (p *page) step(s Step, columns columns) {
	p.heading(plain, "  "+named(s.Name, strings.Join(stepFacts(s), ", ")), s.Verdict, s.Score, s.DurationSeconds)
	if s.Partial() { // not in the heading, of which a narrow page cuts the end
		p.field("metrics", "of "+s.Repetitions.Text())
	}
	if s.Verdict == Inconclusive {
		p.field("why", s.Reason())
	}
	checks := collapse(checksOf(s))
	for i, c := range checks {
		if c.undecided && s.Reason() == c.name+" "+c.note {
			checks[i].note = "" // said above
		}
	}
	if len(checks) > 0 {
		p.table(checks, columns)
	}
	if o := s.Operations; o.Attempted > 0 {
		p.field("operations", operations(o))
	}
	if text := peaks(s.Probes); text != "" {
		p.field("peaks", text)
	}
	for _, f := range s.Faults {
		p.field("fault", f.Text())
	}
	for _, e := range s.SortedErrors() {
		p.field(e.Label(), e.Text())
	}
	for _, line := range s.advice() {
		p.field("look at", line)
	}
}

// steeredByHand says that a step's figures are not those of its plan alone.
const steeredByHand = "steered by hand"

// stepFacts tell what was measured, and how.
func stepFacts(s Step) []string {
	facts := []string{s.Measurement}
	if s.Steered { // first: a narrow page cuts the rest
		facts = append(facts, steeredByHand)
	}
	if repetitions := s.RepetitionCount(); repetitions > 1 && !s.Partial() {
		facts = append(facts, strconv.Itoa(repetitions)+" repetitions")
	}
	if s.Isolated {
		facts = append(facts, "own process")
	}
	return facts
}

func operations(o Operations) string {
	return fmt.Sprintf("%s attempted: %s succeeded, %s failed, %s dropped",
		count(float64(o.Attempted)), count(float64(o.Succeeded)), count(float64(o.Failed)), count(float64(o.Dropped)))
}

// peaks tells the greatest values of the probes that say most about where the
// machine's limits were.
func peaks(probes map[probe.Name]Probe) string {
	var told []string
	for _, c := range []struct {
		name        probe.Name
		label, unit string
	}{
		{probe.HostCPUPercent, "the machine's CPU", "%"},
		{probe.CPUPercent, "own CPU", "% of one processor"},
		{probe.HeapBytes, "heap", "bytes"},
		{probe.RSSBytes, "resident", "bytes"},
		{probe.Goroutines, "goroutines", "count"},
		{probe.GCPauseP99MS, "GC pause", "ms"},
		{probe.GeneratorLagMS, "generator lag", "ms"},
	} {
		p, ok := probes[c.name]
		switch {
		case !ok:
		case strings.HasPrefix(c.unit, "%"):
			told = append(told, c.label+" "+digits3(round3(p.Max))+" "+c.unit)
		default:
			told = append(told, c.label+" "+Quantity(p.Max, c.unit))
		}
	}
	return strings.Join(told, ", ")
}

// origin writes where the run was measured and how to repeat it. A run whose
// producer died before it could say so leaves that out.
func (p *page) origin(r Report) {
	if r.Host != (Host{}) {
		p.field("host", machine(r.Host))
	}
	facts := []string{fmt.Sprintf("seed %d", r.Seed)}
	if !r.StartedAt.IsZero() {
		facts = append([]string{r.ID + " at " + r.StartedAt.UTC().Format(time.RFC3339)}, facts...)
	}
	if r.Tool != (Tool{}) {
		build := "mabeam-top " + r.Tool.Version
		if r.Tool.Commit != "" {
			build += " (" + r.Tool.Commit[:min(12, len(r.Tool.Commit))] + ")"
		}
		facts = append(facts, build, r.Tool.Go)
	}
	p.field("run", strings.Join(facts, ", "))
	if len(r.Command) > 0 {
		p.command("again", r.Command)
	}
}

func machine(h Host) string {
	cpus := fmt.Sprintf("%d CPUs", h.CPUs)
	if h.GOMAXPROCS != h.CPUs {
		cpus += fmt.Sprintf(" (%d used)", h.GOMAXPROCS)
	}
	memory := Quantity(float64(h.MemoryBytes), "bytes") + " memory"
	if h.CgroupMemoryBytes != nil {
		memory += " (limited to " + Quantity(float64(*h.CgroupMemoryBytes), "bytes") + ")"
	}
	if h.GOMemLimit > 0 && h.GOMemLimit < math.MaxInt64 {
		memory += ", GOMEMLIMIT " + Quantity(float64(h.GOMemLimit), "bytes")
	}
	facts := []string{h.OS + "/" + h.Arch, h.CPUModel, cpus, memory}
	if h.Kernel != "" {
		facts = append(facts, "kernel "+h.Kernel)
	}
	return strings.Join(slices.DeleteFunc(facts, func(s string) bool { return s == "" }), ", ")
}
